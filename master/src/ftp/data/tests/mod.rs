//! Transfers from a client's line to a slave's disk: a whole cluster on one thread, with real slaves on real folders
//! and a network in memory.

mod cancel;
mod cluster;
mod credits;
mod empty;
mod fxp;
mod interrupted;
mod limits;
mod parts;
mod pret;
mod protected;
mod reach;
mod scripted;
mod second;
mod siblings;
mod slow;
mod without_pret;
