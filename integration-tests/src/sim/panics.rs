//! Panics of a run. Actors survive them, so nobody else would notice.

use std::cell::RefCell;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static GATHERED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs something on this thread; answers also every panic in it that was caught.
pub fn gathered<R>(work: impl FnOnce() -> R) -> (R, Vec<String>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            GATHERED.with_borrow_mut(|gathered| {
                if let Some(gathered) = gathered {
                    gathered.push(panic.to_string());
                }
            });
            others(panic);
        }));
    });
    GATHERED.replace(Some(Vec::new()));
    let done = work();
    (done, GATHERED.take().unwrap_or_default())
}
