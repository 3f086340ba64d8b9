//! Waiting until udev's rules are done with a mapped device: the protocol of dmsetup and the rules that come with it.
//!
//! A semaphore is made, and its key is sent along with a request as a *cookie*. The kernel puts it into the uevent;
//! the last rule has `dmsetup udevcomplete` count the semaphore down. Without udev there is no cookie, and nothing
//! is waited for.

use std::ffi::c_int;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The upper half of the key of every such semaphore (`DM_COOKIE_MAGIC`).
const MAGIC: u32 = 0x0d4d;
/// Set in a cookie's upper half: the event is the device's own, not one that a rule made up
/// (`DM_UDEV_PRIMARY_SOURCE_FLAG`).
const PRIMARY_SOURCE: u32 = 0x40;
/// Rules that take longer are not waited for: the node is made by hand then.
const PATIENCE: Duration = Duration::from_secs(30);
/// The semaphore is looked at this often.
const EVERY: Duration = Duration::from_millis(5);
/// There while udev runs.
const UDEV: &str = "/run/udev/control";
/// The rule that says that the others are done; it comes with dmsetup. Where it is not, nobody would ever say so.
const RULE: &str = "95-dm-notify.rules";
/// Where rules are.
const RULE_FOLDERS: [&str; 5] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];
/// Set to anything, it means that udev has no part in mapped devices; dmsetup heeds it, too.
const DISABLE: &str = "DM_DISABLE_UDEV";

/// A semaphore that udev's rules count down, or none.
#[derive(Debug)]
pub struct Cookie(Option<Semaphore>);

#[derive(Debug)]
struct Semaphore {
    id: c_int,
    /// The lower half of the key.
    base: u16,
}

impl Cookie {
    /// To be sent with a request. Without udev, and where no semaphore is to be had, there is nothing in it.
    pub fn new() -> Self {
        let has_rule = || RULE_FOLDERS.iter().any(|folder| Path::new(folder).join(RULE).exists());
        let has_udev = Path::new(UDEV).exists() && std::env::var_os(DISABLE).is_none() && has_rule();
        Self(has_udev.then(Semaphore::new).flatten())
    }

    /// The field of the request.
    pub fn event_number(&self) -> u32 {
        self.0.as_ref().map_or(0, |semaphore| PRIMARY_SOURCE << 16 | u32::from(semaphore.base))
    }

    /// Waits until udev is done, if the kernel told it of something (`was_told`), and not for ever.
    pub fn wait(self, was_told: bool) {
        let Some(semaphore) = self.0.filter(|_| was_told) else { return };
        let deadline = Instant::now() + PATIENCE;
        while !semaphore.is_done() && Instant::now() < deadline {
            sleep(EVERY);
        }
    }
}

impl Semaphore {
    /// One that has to be counted down once; `None` when the kernel gives none.
    fn new() -> Option<Self> {
        // Another process may have the same key; a few tries are enough to miss all others.
        for attempt in 0..16_u32 {
            let base = RandomState::new().hash_one(attempt) as u16;
            if base == 0 {
                continue;
            }
            let key = (MAGIC << 16 | u32::from(base)).cast_signed();
            // SAFETY: plain numbers, no memory of ours.
            let id = unsafe { libc::semget(key, 1, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) };
            if id < 0 {
                continue;
            }
            let semaphore = Self { id, base };
            // SAFETY: SETVAL takes one number, which a variadic call passes as the union's first field.
            let set = unsafe { libc::semctl(id, 0, libc::SETVAL, 1 as c_int) };
            return (set == 0).then_some(semaphore);
        }
        None
    }

    /// Whether it has been counted down, or is gone.
    fn is_done(&self) -> bool {
        // SAFETY: GETVAL takes no argument and touches no memory of ours.
        let value = unsafe { libc::semctl(self.id, 0, libc::GETVAL) };
        value <= 0
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // SAFETY: IPC_RMID takes no argument. When it is gone already, there is nothing to be done.
        let _ = unsafe { libc::semctl(self.id, 0, libc::IPC_RMID) };
    }
}
