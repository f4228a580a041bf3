//! The slave side as a whole: one thread, a clock that jumps, slaves held in the hand.

mod admission;
mod certificate;
mod left;
mod links;
mod log;
mod real_list;
mod real_slave;
mod relayed;
mod secure;
mod standing;
mod transfers;
mod walks;
