//! One look at every set that is open on this machine. It owns how sets are found and asked; what is made of the
//! answers is not its business.

use std::time::Duration;

use anyhow::Result;
use remap_serve::control::Status;

use crate::kernel;
use crate::reach::{self, Reached};
use crate::state::{Folders, SetName};

/// How long a server may take to answer: the others are to be looked at, too.
const PATIENCE: Duration = Duration::from_secs(5);

/// The states of a set, as labels and events name them.
pub const STATES: [&str; 5] = ["active", "failing", "read-only", HALTED, UNREACHABLE];
/// The kernel's target found its own state broken, and fails every request.
pub const HALTED: &str = "halted";
/// Who runs the set does not answer, or has been killed.
pub const UNREACHABLE: &str = "unreachable";

/// A set that is open, or whose server left without closing it.
#[derive(Clone, Debug)]
pub struct Look {
    pub name: String,
    /// Empty where nobody tells it.
    pub uuid: String,
    /// One of [`STATES`].
    pub state: String,
    /// Nothing of a set that is halted or unreachable.
    pub status: Option<Status>,
    /// When no slot will be free, in seconds from the look; `None` where that is not known. One look by itself
    /// cannot tell it.
    pub full_in_s: Option<u64>,
}

impl Look {
    fn answered(name: String, status: Status) -> Self {
        let (uuid, state) = (status.uuid.clone(), status.state.clone());
        Self { name, uuid, state, status: Some(status), full_in_s: None }
    }

    fn silent(name: String, uuid: Option<String>, state: &str) -> Self {
        let (uuid, state) = (uuid.unwrap_or_default(), state.to_owned());
        Self { name, uuid, state, status: None, full_in_s: None }
    }

    fn is_of_same_set(&self, other: &Self) -> bool {
        (&self.name, &self.uuid) == (&other.name, &other.uuid)
    }
}

/// Looks at every set, those of the kernel first. Fails where it cannot be told which sets there are.
pub fn at_all() -> Result<Vec<Look>> {
    let mut looks: Vec<Look> = kernel::all()?.iter().map(in_kernel).collect();
    let folders = Folders::of_user()?;
    for name in folders.served_names()? {
        // Another file may end as a control socket does.
        if let Ok(name) = name.parse::<SetName>() {
            let look = served(&folders, &name);
            let is_known = |look: &Look| looks.iter().any(|known| known.is_of_same_set(look));
            // A socket that was left behind may be of a set that the kernel runs now.
            looks.extend(look.filter(|look| !is_known(look)));
        }
    }
    Ok(looks)
}

fn in_kernel(set: &kernel::KernelSet) -> Look {
    if let Ok(status) = set.status() {
        return Look::answered(set.name(), status);
    }
    let state = if set.is_halted() { HALTED } else { UNREACHABLE };
    Look::silent(set.name(), set.made_for().ok().flatten(), state)
}

/// What a server says of its set; `None` when the kernel runs it by now.
fn served(folders: &Folders, name: &SetName) -> Option<Look> {
    let status = match reach::open(name.as_str(), PATIENCE) {
        Ok(Some(Reached::Kernel(_))) => return None,
        Ok(Some(mut set)) => set.status().ok(),
        Ok(None) | Err(_) => None,
    };
    // It may have been closed since its socket was seen.
    if status.is_none() && !folders.control_socket(name.as_str()).exists() {
        return None;
    }
    let remembered = || folders.find(name).ok().flatten().map(|record| record.set);
    Some(match status {
        Some(status) => Look::answered(name.to_string(), status),
        None => Look::silent(name.to_string(), remembered(), UNREACHABLE),
    })
}
