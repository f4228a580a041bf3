//! Networks from which nobody may connect: kept in the store, and in memory for whoever accepts connections.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use drftpd_protocol::Network;

use super::address::counted_as;
use crate::store::{Batch, Command, Sql, StoreError, params};

/// Bans that are kept at most; of those that a guard made, the one that ends first goes for a new one.
const MOST: usize = 100_000;

/// A network that may not connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Which.
    pub network: Network,
    /// Since when, Unix seconds.
    pub since: i64,
    /// Until when; `None`: for ever.
    pub until: Option<i64>,
    /// Who said so; empty: the guard against guessing.
    pub author: String,
    /// Why.
    pub why: String,
}

/// All of them. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Bans(Arc<RwLock<Listed>>);

#[derive(Debug, Default)]
struct Listed {
    /// Single addresses, as they are counted; most bans.
    single: BTreeMap<IpAddr, Ban>,
    /// Wider networks; few.
    wide: Vec<Ban>,
}

impl Ban {
    fn holds(&self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The network that is banned for an address.
pub fn network_of(address: IpAddr) -> Network {
    single(counted_as(address))
}

fn single(counted: IpAddr) -> Network {
    Network::of(counted, if counted.is_ipv4() { 32 } else { 64 })
}

impl Bans {
    /// Whether an address is banned.
    pub fn holds(&self, address: IpAddr, now: i64) -> bool {
        let listed = self.read();
        let alone = listed.single.get(&counted_as(address));
        alone.is_some_and(|ban| ban.holds(now))
            || listed
                .wide
                .iter()
                .any(|ban| ban.holds(now) && ban.network.contains(address))
    }

    /// Those that hold, by their network's text.
    pub fn list(&self, now: i64) -> Vec<Ban> {
        let listed = self.read();
        let all = listed.single.values().chain(&listed.wide);
        all.filter(|ban| ban.holds(now)).cloned().collect()
    }

    /// Bans a network from now on.
    pub fn put(&self, ban: Ban) {
        let mut listed = self.write();
        listed.remove(&ban.network);
        match listed.alone(&ban.network) {
            Some(address) => {
                if listed.single.len() >= MOST {
                    listed.forget_one();
                }
                listed.single.insert(address, ban);
            }
            None => listed.wide.push(ban),
        }
    }

    /// Lifts the bans that hold an address or a network; answers which.
    pub fn lift(&self, network: &Network, now: i64) -> Vec<Network> {
        let mut listed = self.write();
        let listed_too = |ban: &Ban| ban.holds(now) && ban.network == *network;
        let mut lifted: Vec<Network> = listed
            .single
            .values()
            .chain(&listed.wide)
            .filter(|ban| listed_too(ban))
            .map(|ban| ban.network)
            .collect();
        let counted = counted_as(network.address());
        if let Some(ban) = listed.single.get(&counted).filter(|_| network.is_single())
            && !lifted.contains(&ban.network)
        {
            lifted.push(ban.network);
        }
        for network in &lifted {
            listed.remove(network);
        }
        lifted
    }

    /// Takes over what is stored.
    ///
    /// # Errors
    /// When the database fails.
    pub fn load(&self, sql: &Sql<'_>, now: i64) -> Result<(), StoreError> {
        for ban in stored(sql, now)? {
            self.put(ban);
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Listed> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Listed> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    /// The address that a network is, if it is what counts as one.
    fn alone(&self, network: &Network) -> Option<IpAddr> {
        let counted = counted_as(network.address());
        (single(counted) == *network).then_some(counted)
    }

    fn remove(&mut self, network: &Network) {
        match self.alone(network) {
            Some(address) => drop(self.single.remove(&address)),
            None => self.wide.retain(|ban| ban.network != *network),
        }
    }

    fn forget_one(&mut self) {
        let ends = |ban: &Ban| ban.until.unwrap_or(i64::MAX);
        let first = self.single.iter().min_by_key(|(_, ban)| ends(ban));
        if let Some(address) = first.map(|(address, _)| *address) {
            self.single.remove(&address);
        }
    }
}

/// The bans of the store that still hold.
///
/// # Errors
/// When the database fails.
pub fn stored(sql: &Sql<'_>, now: i64) -> Result<Vec<Ban>, StoreError> {
    let text = "SELECT network, since, until, author, why FROM network_ban
        WHERE until IS NULL OR until > ?1 ORDER BY network";
    let rows = sql.all(text, [now], |row| {
        let network: String = row.get(0)?;
        Ok((network, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    let ban = |(network, since, until, author, why): (String, i64, Option<i64>, String, String)| {
        let damaged = |_| StoreError::Damaged(format!("the ban of {network}"));
        Ok(Ban {
            network: network.parse().map_err(damaged)?,
            since,
            until,
            author,
            why,
        })
    };
    rows.into_iter().map(ban).collect()
}

/// Stores a ban, in place of one of the same network; those that are over go.
#[derive(Debug)]
pub struct StoreBan(pub Ban);

impl Command for StoreBan {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let Ban {
            network,
            since,
            until,
            author,
            why,
        } = self.0;
        batch.run("DELETE FROM network_ban WHERE until <= ?1", [since])?;
        let sql = "INSERT OR REPLACE INTO network_ban (network, since, until, author, why)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let network = network.to_string();
        batch.run(sql, params![network, since, until, author, why])?;
        Ok(())
    }
}

/// Forgets the bans of these networks; answers how many there were.
#[derive(Debug)]
pub struct ForgetBans(pub Vec<Network>);

impl Command for ForgetBans {
    type Answer = usize;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<usize, StoreError> {
        let mut gone = 0;
        for network in self.0 {
            let sql = "DELETE FROM network_ban WHERE network = ?1";
            gone += batch.run(sql, [network.to_string()])?;
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(network: &str, until: Option<i64>) -> Ban {
        Ban {
            network: network.parse().unwrap(),
            since: 0,
            until,
            author: String::new(),
            why: String::new(),
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_and_networks_are_banned_until_their_time_and_lifted_by_name() {
        let bans = Bans::default();
        bans.put(ban("192.0.2.1/32", Some(100)));
        bans.put(ban("10.0.0.0/8", None));
        bans.put(Ban {
            network: network_of(ip("2001:db8::5")),
            ..ban("::/0", Some(100))
        });
        for (address, now, is) in [
            ("192.0.2.1", 99, true),
            ("::ffff:192.0.2.1", 99, true),
            ("192.0.2.1", 100, false),
            ("192.0.2.2", 50, false),
            ("10.200.0.1", 500, true),
            ("2001:db8::ffff", 50, true),
            ("2001:db8:0:1::", 50, false),
        ] {
            assert_eq!(bans.holds(ip(address), now), is, "{address} {now}");
        }
        assert_eq!(bans.list(50).len(), 3);
        let lifted = |text: &str| bans.lift(&text.parse().unwrap(), 50).len();
        assert_eq!(lifted("2001:db8::77"), 1, "any address of it");
        assert_eq!((lifted("10.0.0.0/8"), lifted("10.0.0.0/8")), (1, 0));
        assert_eq!(lifted("192.0.2.1"), 1);
        assert!(bans.list(50).is_empty());
    }

    #[test]
    fn a_ban_said_again_replaces_the_one_before() {
        let bans = Bans::default();
        bans.put(ban("192.0.2.1", Some(10)));
        bans.put(ban("192.0.2.1/32", Some(20)));
        bans.put(ban("192.0.2.0/24", Some(10)));
        bans.put(ban("192.0.2.0/24", Some(20)));
        assert_eq!(bans.list(15).len(), 2);
    }
}
