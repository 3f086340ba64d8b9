//! Device-mapper from user space, loop devices, and what the kernel and udev tell of block devices.
//!
//! It owns the interfaces: requests become ioctls, answers become values. What a device is for, it does not know.
//! Answers are foreign bytes and are parsed; nothing in them is trusted, lengths and offsets least of all.

mod answer;
pub mod block;
mod call;
mod error;
mod header;
pub mod kernel_log;
pub mod loop_device;
mod mapper;
mod name;
mod node;
mod table;
mod udev;

pub use answer::{DeviceEntry, DeviceInfo, TargetVersion};
pub use error::{Action, Error};
pub use mapper::{Mapper, Removed, Selector, Suspend};
pub use name::{DeviceName, DeviceUuid, NameError};
pub use table::{Line, escape, unescape_words};
