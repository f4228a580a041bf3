#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
// This crate is what everybody else calls instead of the disallowed methods, so it must call them itself.
#![allow(clippy::disallowed_methods)]

mod ask;
mod backoff;
mod blocking;
mod bus;
mod clock;
mod config;
mod crowd;
mod dice;
mod drain;
mod failpoint;
mod gate;
mod health;
mod limits;
mod net;
mod place;
mod slots;
mod supervise;
mod telemetry;
mod tokio_net;

#[cfg(feature = "testkit")]
pub mod testkit;
pub mod tls;

pub use ask::{AskError, ask, ask_recipient, lost_tells, tell, tell_recipient};
pub use backoff::Backoff;
pub use blocking::{Blocking, BlockingError};
pub use bus::{Drops, Event, EventBus};
pub use clock::Clock;
pub use config::{
    Check, ConfigError, apply_overrides, parse, parse_table, read, read_prepared,
    read_with_overrides,
};
pub use crowd::Crowd;
pub use dice::Dice;
pub use drain::{Drain, Hold, StillHeld};
pub use failpoint::{failpoint, panicpoint};
pub use gate::{Gate, Otherwise, Verdict};
pub use health::{ActorHealth, ArbiterHealth, Health, HealthSnapshot, Ping, Pong};
pub use limits::{OpenFiles, Room, survive_large_files};
pub use net::{BoxIo, Incoming, Io, Listener, Net, Secured};
pub use place::{Place, block_on};
pub use slots::{SlotKey, Slots, SlotsFull};
pub use supervise::{Budget, Child, ChildDown, ChildSpec, Ended, supervise};
pub use telemetry::{
    LogFormat, TelemetryConfig, TelemetryError, init as init_telemetry, set_level as set_log_level,
};
pub use tokio_net::TokioNet;
