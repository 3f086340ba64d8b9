//! What systemd is told, and what it hands over. Without systemd all of it does nothing.

use std::os::fd::{FromRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result};
use remap_io::device::RemapDevice;
use remap_serve::Listener;
use sd_notify::NotifyState;

/// The sockets that a service manager passed (`LISTEN_FDS`). To be called once, before anything is opened.
pub fn inherited_sockets() -> Result<Vec<Listener>> {
    let descriptors = sd_notify::listen_fds().context("the sockets passed by the service manager")?;
    let descriptors = descriptors.map(|descriptor| {
        // SAFETY: by the protocol of LISTEN_FDS these are open and this process's own, and nothing else here
        // takes them, since this is called once.
        unsafe { OwnedFd::from_raw_fd(descriptor) }
    });
    descriptors.map(|descriptor| Ok(Listener::inherited(descriptor)?)).collect()
}

/// Clients can connect.
pub fn ready(device: &RemapDevice) {
    let status = format!("serving {}", device.name());
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// No client is accepted any more.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// This process is well.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often the service manager wants to hear that: twice in the time it allows.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|allowed| allowed / 2)
}

/// A service manager that does not listen is none of our business.
fn tell(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
