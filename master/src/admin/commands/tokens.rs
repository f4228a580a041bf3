//! Tokens of the HTTP API: `token create`, `token list`, `token revoke`.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::super::page::{AFTER, LIMIT};
use super::super::{
    AdminError, Answer, Args, Caller, Code, Command, Cx, Kind, Listing, Outcome, Param, Permission,
};
use super::table;
use crate::api::Scopes;
use crate::api::tokens::{self, CreateToken, RevokeToken, Secret, TokenError, TokenRow};

/// How long a token is good where nobody says.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// The longest that one may be good: five years.
const LONGEST: Duration = Duration::from_secs(5 * 366 * 24 * 3600);
/// The longest name.
const NAME: usize = 64;

/// `token create NAME SCOPES [EXPIRES]`.
pub(crate) const CREATE: Command = Command {
    name: "token create",
    site: &[],
    params: &[
        Param::new(
            "name",
            Kind::Text,
            "what it is called, in lists and in the log",
        ),
        Param::new(
            "scopes",
            Kind::Words,
            "what it may be used for: read, operate, AREA:*, AREA:VERB or *, with commas between",
        ),
        Param::optional(
            "expires",
            Kind::Text,
            "how long it is good: 30days, 8h (90 days)",
        ),
    ],
    about: "makes a token for the HTTP API; it is shown this once",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(create(cx, args)),
};

/// `token list`.
pub(in crate::admin) const LIST: Command = Command {
    name: "token list",
    site: &[],
    params: &[LIMIT, AFTER],
    about: "shows the tokens of the HTTP API, what they may do and when they were used",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(list(&cx, &args))),
};

/// `token revoke NAME`.
pub(in crate::admin) const REVOKE: Command = Command {
    name: "token revoke",
    site: &[],
    params: &[Param::new("name", Kind::Text, "the token's name")],
    about: "takes a token of the HTTP API away, at once",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(revoke(cx, args)),
};

#[derive(Serialize)]
struct Created {
    name: String,
    token: String,
    scopes: String,
    expires: i64,
}

async fn create(cx: Cx, args: Args) -> Outcome {
    let name = args.text("name").unwrap_or_default().to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if name.is_empty() || name.len() > NAME || !name.chars().all(plain) {
        let why = format!("must be 1 to {NAME} letters, digits and .-_@");
        return Err(AdminError::argument("name", why));
    }
    let scopes = Scopes::asked(args.words("scopes"), cx.of.commands());
    let scopes = scopes.map_err(|why| AdminError::argument("scopes", why))?;
    let created = cx.of.clock.unix();
    let expires = created + lifetime(args.text("expires"))?;
    within(&cx.caller, &scopes, expires)?;
    let secret = Secret::new(&cx.of.dice);
    let row = TokenRow {
        name: name.clone(),
        scopes: scopes.clone(),
        created,
        expires,
        used: None,
        creator: cx.caller.to_string(),
    };
    let hash = secret.hash();
    let made = cx.of.store.change(CreateToken { row, hash }).await;
    made.map_err(|why| match &why {
        TokenError::Exists(_) => AdminError {
            code: Code::Exists,
            ..AdminError::argument("name", &why)
        },
        _ => AdminError::failed(&why),
    })?;
    Answer::of(&Created {
        name,
        token: secret.show().to_owned(),
        scopes: scopes.to_string(),
        expires,
    })
}

/// Seconds that a token is good.
fn lifetime(said: Option<&str>) -> Result<i64, AdminError> {
    let wrong = |why: &dyn fmt::Display| AdminError::argument("expires", why);
    let lifetime = match said {
        None => LIFETIME,
        Some(text) => humantime::parse_duration(text).map_err(|why| wrong(&why))?,
    };
    if lifetime < Duration::from_secs(1) || lifetime > LONGEST {
        return Err(wrong(&"must be one second to five years"));
    }
    i64::try_from(lifetime.as_secs()).map_err(|why| wrong(&why))
}

/// A token makes none that can do more than itself, or for longer.
fn within(caller: &Caller, scopes: &Scopes, expires: i64) -> Result<(), AdminError> {
    let Caller::Token(token) = caller else {
        return Ok(());
    };
    let denied = |field, why: &str| AdminError {
        code: Code::Denied,
        ..AdminError::argument(field, why)
    };
    if !token.scopes.cover(scopes) {
        let why = "a token gives no other more than it has itself";
        return Err(denied("scopes", why));
    }
    if expires > token.expires {
        let why = "a token gives no other a longer time than it has itself";
        return Err(denied("expires", why));
    }
    Ok(())
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "token {}", self.token)?;
        let until = table::moment(self.expires);
        write!(
            f,
            "For {}, until {until}. It is not shown again.",
            self.scopes
        )
    }
}

#[derive(Serialize)]
struct Listed {
    tokens: Vec<Shown>,
    #[serde(skip)]
    now: i64,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    scopes: String,
    created: i64,
    expires: i64,
    used: Option<i64>,
    creator: String,
}

fn list(cx: &Cx, args: &Args) -> Outcome {
    let rows = cx.of.store.read(tokens::all);
    let rows = rows.map_err(|why| AdminError::failed(&why))?;
    let shown = rows.into_iter().map(|row| Shown {
        name: row.name,
        scopes: row.scopes.to_string(),
        created: row.created,
        expires: row.expires,
        used: row.used,
        creator: row.creator,
    });
    let listed = Listed {
        tokens: shown.collect(),
        now: cx.of.clock.unix(),
    };
    Answer::page(listed, args)
}

impl Listing for Listed {
    type Entry = Shown;
    type Key = String;

    fn entries(&mut self) -> &mut Vec<Shown> {
        &mut self.tokens
    }

    fn key(entry: &Shown) -> String {
        entry.name.clone()
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |token: &Shown| {
            let over = if token.expires <= self.now {
                " (over)"
            } else {
                ""
            };
            [
                token.name.clone(),
                token.scopes.clone(),
                format!("{}{over}", table::moment(token.expires)),
                token.used.map_or_else(|| "-".to_owned(), table::moment),
                token.creator.clone(),
            ]
        };
        let rows: Vec<_> = self.tokens.iter().map(row).collect();
        table::write(f, ["TOKEN", "SCOPES", "UNTIL", "USED", "MADE BY"], &rows)
    }
}

#[derive(Serialize)]
struct Revoked {
    name: String,
}

async fn revoke(cx: Cx, args: Args) -> Outcome {
    let name = args.text("name").unwrap_or_default().to_owned();
    let revoked = cx.of.store.change(RevokeToken(name.clone())).await;
    if !revoked.map_err(|why| AdminError::failed(&why))? {
        return Err(AdminError {
            code: Code::NotFound,
            ..AdminError::argument("name", format!("there is no token {name}"))
        });
    }
    Answer::of(&Revoked { name })
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {} is good for nothing any more", self.name)
    }
}
