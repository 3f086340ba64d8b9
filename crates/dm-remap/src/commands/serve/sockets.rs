//! Where a server listens: what was asked for, what was inherited, or the places that go by the set's name.

use anyhow::Result;
use remap_io::device::RemapDevice;
use remap_serve::{Address, Listener};

use crate::exit::usage;
use crate::state::{Folders, SetName};

use super::Args;

/// The sockets of a server.
pub struct Sockets {
    pub nbd: Vec<Listener>,
    pub control: Listener,
}

impl Sockets {
    /// Binds them.
    pub fn bind(args: &Args, device: &RemapDevice, inherited: Vec<Listener>) -> Result<Self> {
        let folders = Folders::of_user()?;
        // A name from a superblock was anyone's to write; only what could be typed becomes a path.
        let name = if args.spares.is_empty() { &args.target } else { device.name() };
        let name: Option<SetName> = name.parse().ok();
        let mut nbd = inherited;
        for address in &args.how.nbd {
            nbd.push(Listener::bind(address)?);
        }
        if nbd.is_empty() {
            let Some(name) = &name else {
                return Err(usage("the set has no name to listen by: say where (--nbd unix:PATH)"));
            };
            folders.make_runtime()?;
            nbd.push(Listener::bind(&Address::Unix(folders.nbd_socket(name.as_str())))?);
        }
        let control = match (&args.control, &name) {
            (Some(path), _) => path.clone(),
            (None, Some(name)) => {
                folders.make_runtime()?;
                folders.control_socket(name.as_str())
            }
            (None, None) => {
                return Err(usage("the set has no name to be reached by: say where (--control PATH)"));
            }
        };
        Ok(Self { nbd, control: Listener::bind(&Address::Unix(control))? })
    }
}
