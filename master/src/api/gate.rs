//! Who may ask how often: connections and requests of an address, requests with a token, and wrong tokens. Pure.
//!
//! A good token passes whatever others at its address have tried: nobody can lock out a neighbour. What is remembered is
//! bounded; when it is full, strangers wait until something is forgotten.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::config::ApiConfig;
use super::tokens::{Hash, NOTED_EVERY};

/// Addresses, and tokens, that are remembered at a time.
const MOST: usize = 10_000;
/// So many seconds' worth may be asked at once.
const BURST: f64 = 2.0;
/// What says nothing new for so long is forgotten, when there is no room.
const FORGET: Duration = Duration::from_secs(10);
/// Where there is no room it is made at most so often: it means looking at everything.
const SWEEP: Duration = Duration::from_secs(1);

/// How long one has to wait before the next try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wait(pub Duration);

/// Requests that may still come, filled again as time goes on.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: u32, now: Instant) -> Self {
        Self {
            left: f64::from(rate) * BURST,
            at: now,
        }
    }

    fn take(&mut self, rate: u32, now: Instant) -> Result<(), Wait> {
        let rate = f64::from(rate);
        let more = now.duration_since(self.at).as_secs_f64() * rate;
        self.left = (self.left + more).min(rate * BURST);
        self.at = now;
        if self.left < 1.0 {
            return Err(Wait(Duration::from_secs_f64((1.0 - self.left) / rate)));
        }
        self.left -= 1.0;
        Ok(())
    }
}

#[derive(Debug)]
struct Address {
    bucket: Bucket,
    connections: usize,
    failed: u32,
    /// Until when wrong tokens are remembered.
    remember: Option<Instant>,
}

impl Address {
    fn failed(&self, now: Instant) -> u32 {
        match self.remember {
            Some(until) if until > now => self.failed,
            _ => 0,
        }
    }

    fn can_go(&self, now: Instant) -> bool {
        self.connections == 0
            && self.failed(now) == 0
            && now.duration_since(self.bucket.at) > FORGET
    }
}

#[derive(Debug)]
struct Used {
    bucket: Bucket,
    noted: i64,
}

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Gate {
    addresses: BTreeMap<IpAddr, Address>,
    tokens: BTreeMap<Hash, Used>,
    connections: usize,
    swept: Option<Instant>,
}

impl Gate {
    /// Lets a connection in, which has to [`Self::leave`] later; false where there are too many.
    pub fn enter(&mut self, from: IpAddr, config: &ApiConfig, now: Instant) -> bool {
        if self.connections >= config.max_connections {
            return false;
        }
        let Some(address) = self.address(from, config, now) else {
            return false;
        };
        if address.connections >= config.max_per_address {
            return false;
        }
        address.connections += 1;
        self.connections += 1;
        true
    }

    /// A connection is over.
    pub fn leave(&mut self, from: IpAddr) {
        self.connections = self.connections.saturating_sub(1);
        if let Some(address) = self.addresses.get_mut(&from) {
            address.connections = address.connections.saturating_sub(1);
        }
    }

    /// A request from an address.
    pub fn ask(&mut self, from: IpAddr, config: &ApiConfig, now: Instant) -> Result<(), Wait> {
        match self.address(from, config, now) {
            Some(address) => address.bucket.take(config.address_rate, now),
            None => Err(Wait(FORGET)),
        }
    }

    /// A wrong token from an address, or none: answers how long the answer is to take.
    ///
    /// # Errors
    /// When there were too many: nothing of it is looked at for so long.
    pub fn failed(
        &mut self,
        from: IpAddr,
        config: &ApiConfig,
        now: Instant,
    ) -> Result<Duration, Wait> {
        let Some(address) = self.address(from, config, now) else {
            return Err(Wait(FORGET));
        };
        let before = address.failed(now);
        if before >= config.max_failed {
            let left = address.remember.map_or(Duration::ZERO, |until| until - now);
            return Err(Wait(left));
        }
        address.failed = before + 1;
        address.remember = Some(now + config.refuse_for);
        let delay = config.failed_delay.saturating_mul(1 << before.min(16));
        Ok(delay.min(ApiConfig::MAX_FAILED_DELAY))
    }

    /// A request with a good token, last noted in the store at `noted`; answers whether its use is to be noted again.
    pub fn spend(
        &mut self,
        token: &Hash,
        noted: Option<i64>,
        unix: i64,
        config: &ApiConfig,
        now: Instant,
    ) -> Result<bool, Wait> {
        if self.tokens.len() >= MOST && !self.tokens.contains_key(token) {
            self.sweep(now);
        }
        let used = self.tokens.entry(*token).or_insert_with(|| Used {
            bucket: Bucket::full(config.token_rate, now),
            noted: noted.unwrap_or(0),
        });
        used.bucket.take(config.token_rate, now)?;
        let note = unix - used.noted >= NOTED_EVERY;
        if note {
            used.noted = unix;
        }
        Ok(note)
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept.is_none_or(|at| now.duration_since(at) >= SWEEP) {
            self.swept = Some(now);
            self.addresses.retain(|_, address| !address.can_go(now));
            let idle = |used: &Used| now.duration_since(used.bucket.at) > FORGET;
            self.tokens.retain(|_, used| !idle(used));
        }
    }

    /// What is known of an address; nothing where there is no room for it.
    fn address(&mut self, from: IpAddr, config: &ApiConfig, now: Instant) -> Option<&mut Address> {
        if self.addresses.len() >= MOST && !self.addresses.contains_key(&from) {
            self.sweep(now);
            if self.addresses.len() >= MOST {
                return None;
            }
        }
        Some(self.addresses.entry(from).or_insert_with(|| Address {
            bucket: Bucket::full(config.address_rate, now),
            connections: 0,
            failed: 0,
            remember: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn from(n: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + n).into()
    }

    fn seconds(n: f64) -> Duration {
        Duration::from_secs_f64(n)
    }

    #[test]
    fn requests_are_counted_by_address_and_filled_again_with_time() {
        let config = ApiConfig {
            address_rate: 2,
            ..ApiConfig::default()
        };
        let (mut gate, now) = (Gate::default(), Instant::now());
        for _ in 0..4 {
            assert_eq!(gate.ask(from(1), &config, now), Ok(()));
        }
        assert_eq!(gate.ask(from(1), &config, now), Err(Wait(seconds(0.5))));
        assert_eq!(gate.ask(from(2), &config, now), Ok(()));
        let later = now + seconds(0.5);
        assert_eq!(gate.ask(from(1), &config, later), Ok(()));
        assert!(gate.ask(from(1), &config, later).is_err());
    }

    #[test]
    fn a_token_has_its_own_count_and_its_use_is_noted_once_a_minute() {
        let config = ApiConfig {
            token_rate: 100,
            ..ApiConfig::default()
        };
        let (mut gate, now) = (Gate::default(), Instant::now());
        let mut noted = 0;
        for n in 0..200_i64 {
            noted += i64::from(
                gate.spend(&[1; 32], Some(900), 1000 + n / 2, &config, now)
                    .unwrap(),
            );
        }
        assert_eq!(noted, 2, "at 1000 and at 1060");
        assert!(gate.spend(&[1; 32], None, 2000, &config, now).is_err());
        assert_eq!(gate.spend(&[2; 32], None, 1000, &config, now), Ok(true));
    }

    #[test]
    fn wrong_tokens_take_longer_each_time_and_then_are_not_looked_at() {
        let config = ApiConfig {
            max_failed: 5,
            ..ApiConfig::default()
        };
        let (mut gate, now) = (Gate::default(), Instant::now());
        let delays: Vec<_> = (0..5)
            .map(|_| gate.failed(from(1), &config, now).unwrap().as_secs())
            .collect();
        assert_eq!(delays, [1, 2, 4, 8, 8]);
        let wait = Wait(config.refuse_for);
        assert_eq!(gate.failed(from(1), &config, now), Err(wait));
        assert!(gate.failed(from(2), &config, now).is_ok());
        // A good token is not asked for what others did.
        assert!(gate.spend(&[1; 32], None, 0, &config, now).is_ok());
        let later = now + config.refuse_for;
        assert_eq!(gate.failed(from(1), &config, later), Ok(seconds(1.0)));
    }

    #[test]
    fn connections_have_a_limit_in_all_and_for_an_address() {
        let config = ApiConfig {
            max_connections: 3,
            max_per_address: 2,
            ..ApiConfig::default()
        };
        let (mut gate, now) = (Gate::default(), Instant::now());
        let enter = |gate: &mut Gate, n| gate.enter(from(n), &config, now);
        assert!(enter(&mut gate, 1) && enter(&mut gate, 1) && !enter(&mut gate, 1));
        assert!(enter(&mut gate, 2) && !enter(&mut gate, 3));
        gate.leave(from(1));
        assert!(enter(&mut gate, 3));
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let config = ApiConfig::default();
        let (mut gate, now) = (Gate::default(), Instant::now());
        for n in 0..20_000 {
            let there = gate.ask(from(n), &config, now);
            assert_eq!(there.is_ok(), n < 10_000, "{n}");
        }
        assert_eq!(gate.addresses.len(), MOST);
        let later = now + FORGET + seconds(1.0);
        assert!(gate.ask(from(30_000), &config, later).is_ok());
        assert_eq!(gate.addresses.len(), 1);
    }
}
