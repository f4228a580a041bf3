//! `dump` and `load`: the store as JSON lines.
