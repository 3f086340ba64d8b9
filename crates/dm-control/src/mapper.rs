//! Device-mapper: devices are listed, made, given tables, suspended, removed, and spoken to.
//!
//! A device has two places for tables: one in use, and one for the next that resuming puts to use.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::answer::{self, DeviceEntry, DeviceInfo, TargetVersion};
use crate::call::{Command, perform};
use crate::error::{Action, Error};
use crate::header::{self, Header, until_zero};
use crate::kernel_log::KernelLog;
use crate::name::{DeviceName, DeviceUuid};
use crate::node;
use crate::table::{self, Line};
use crate::udev::Cookie;

/// Where device-mapper listens.
const CONTROL: &str = "/dev/mapper/control";

/// A connection to device-mapper.
#[derive(Debug)]
pub struct Mapper {
    control: File,
}

/// By what a device is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector<'s> {
    /// Its name.
    Name(&'s DeviceName),
    /// Major and minor number.
    Number((u32, u32)),
}

/// How a device is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspend {
    /// A file system on it is made still, and all requests end first.
    Still,
    /// Nothing is waited for but requests that are under way below: for devices that cannot write any more.
    AtOnce,
}

/// What became of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Now,
    /// It is in use, and goes when it is not any more.
    Later,
}

impl Mapper {
    /// Connects. Needs root.
    pub fn open() -> Result<Self, Error> {
        let control = OpenOptions::new().read(true).write(true).open(CONTROL);
        let control = control.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Error::NotPermitted,
            _ => Error::NoDeviceMapper,
        })?;
        let mapper = Self { control };
        match perform(mapper.control.as_fd(), Command::Version, &Header::default(), &[]) {
            Ok(_) => Ok(mapper),
            Err(Errno::ACCESS | Errno::PERM) => Err(Error::NotPermitted),
            Err(errno) => Err(Error::Version(errno.into())),
        }
    }

    /// All devices, in no order.
    pub fn list(&self) -> Result<Vec<DeviceEntry>, Error> {
        let (_, data) = self.call(Command::ListDevices, Action::List, &Header::default(), &[])?;
        answer::devices(&data).ok_or_else(|| foreign("the list of devices", "it is no list"))
    }

    /// The version of a target; its module is loaded if it has to be.
    pub fn target_version(&self, target: &str) -> Result<TargetVersion, Error> {
        let header = Header { name: name_bytes(target)?, ..Header::default() };
        let (_, data) = perform(self.control.as_fd(), Command::TargetVersion, &header, &[]).map_err(
            |errno| match errno {
                Errno::INVAL => Error::NoTarget(target.to_owned()),
                errno => Error::of(errno, Action::Target, target),
            },
        )?;
        answer::target_version(&data, target).ok_or_else(|| foreign(target, "it names another target"))
    }

    /// What is known of a device.
    pub fn info(&self, device: Selector<'_>) -> Result<DeviceInfo, Error> {
        let (header, _) = self.call(Command::DeviceStatus, Action::Status, &device.header(), &[])?;
        info(&header)
    }

    /// Makes a device without a table; there is no node until it is [resumed](Self::resume).
    pub fn create(&self, name: &DeviceName, uuid: Option<&DeviceUuid>) -> Result<DeviceInfo, Error> {
        let uuid = uuid.map(|uuid| uuid.as_str().as_bytes().to_vec()).unwrap_or_default();
        let header = Header { uuid, ..Selector::Name(name).header() };
        let (header, _) = self.call(Command::DeviceCreate, Action::Create, &header, &[])?;
        info(&header)
    }

    /// Gives a device its next table.
    pub fn load(&self, name: &DeviceName, lines: &[Line], is_read_only: bool) -> Result<(), Error> {
        let data = table::encode(lines).ok_or_else(|| Error::Unwritable(name.text()))?;
        let number = self.info(Selector::Name(name))?.number;
        let flags = if is_read_only { header::READ_ONLY } else { 0 };
        let count = lines.len() as u32;
        let header = Header { flags, target_count: count, ..Selector::Name(name).header() };
        let mut log = KernelLog::from_now();
        self.call(Command::TableLoad, Action::Load, &header, &data).map(drop).map_err(|error| {
            match log.why_table_was_refused(number) {
                Some(why) => Error::Refused { device: name.text(), action: Action::Load, why },
                None => error,
            }
        })
    }

    /// Drops a table that was loaded and is not in use.
    pub fn clear(&self, name: &DeviceName) -> Result<(), Error> {
        self.call(Command::TableClear, Action::Load, &Selector::Name(name).header(), &[]).map(drop)
    }

    /// Holds requests back.
    pub fn suspend(&self, name: &DeviceName, how: Suspend) -> Result<(), Error> {
        let extra = if how == Suspend::AtOnce { header::SKIP_LOCKFS | header::NO_FLUSH } else { 0 };
        let header = Header { flags: header::SUSPEND | extra, ..Selector::Name(name).header() };
        self.call(Command::DeviceSuspend, Action::Suspend, &header, &[]).map(drop)
    }

    /// Goes on, with the next table if there is one. The device's node is there then, and its path is returned.
    pub fn resume(&self, name: &DeviceName) -> Result<PathBuf, Error> {
        let cookie = Cookie::new();
        let header = Header { event_number: cookie.event_number(), ..Selector::Name(name).header() };
        let (header, _) = self.call(Command::DeviceSuspend, Action::Resume, &header, &[])?;
        cookie.wait(header.flags & header::UEVENT_GENERATED != 0);
        node::make(name, info(&header)?.number)
    }

    /// Has the node of a device in use lead to it, and gives its path: whoever made the device may have been ended before.
    pub fn node(&self, name: &DeviceName) -> Result<PathBuf, Error> {
        node::make(name, self.info(Selector::Name(name))?.number)
    }

    /// Makes a device that is in use at once; what went wrong on the way is undone.
    pub fn activate(
        &self,
        name: &DeviceName,
        uuid: Option<&DeviceUuid>,
        lines: &[Line],
        is_read_only: bool,
    ) -> Result<PathBuf, Error> {
        self.create(name, uuid)?;
        let made = self.load(name, lines, is_read_only).and_then(|()| self.resume(name));
        if made.is_err() {
            // What kept it from being made is the error to be told.
            let _ = self.remove(name, false);
        }
        made
    }

    /// Removes a device and its node. One in use is refused, or goes later if `when_unused` is set.
    pub fn remove(&self, name: &DeviceName, when_unused: bool) -> Result<Removed, Error> {
        let cookie = Cookie::new();
        let flags = if when_unused { header::DEFERRED_REMOVE } else { 0 };
        let header = Header { flags, event_number: cookie.event_number(), ..Selector::Name(name).header() };
        let (header, _) = self.call(Command::DeviceRemove, Action::Remove, &header, &[])?;
        cookie.wait(header.flags & header::UEVENT_GENERATED != 0);
        if when_unused && header.flags & header::DEFERRED_REMOVE != 0 {
            return Ok(Removed::Later);
        }
        node::remove(name)?;
        Ok(Removed::Now)
    }

    /// Gives a device another name.
    pub fn rename(&self, name: &DeviceName, new: &DeviceName) -> Result<PathBuf, Error> {
        let cookie = Cookie::new();
        let header = Header { event_number: cookie.event_number(), ..Selector::Name(name).header() };
        let data = [new.as_str().as_bytes(), &[0]].concat();
        let (header, _) = self.call(Command::DeviceRename, Action::Rename, &header, &data)?;
        cookie.wait(header.flags & header::UEVENT_GENERATED != 0);
        node::remove(name)?;
        self.node(new)
    }

    /// Sends a message to the target at the device's sector 0, and gives its answer; empty when it gives none.
    /// Words with blanks must be [escaped](crate::escape).
    pub fn message(&self, name: &DeviceName, message: &str) -> Result<String, Error> {
        if message.contains('\0') {
            return Err(Error::Unwritable(name.text()));
        }
        let number = self.info(Selector::Name(name))?.number;
        // The sector, and the words with a zero behind them (`struct dm_target_msg`).
        let data = [&0_u64.to_ne_bytes(), message.as_bytes(), &[0]].concat();
        let mut log = KernelLog::from_now();
        let answer =
            self.call(Command::TargetMessage, Action::Message, &Selector::Name(name).header(), &data);
        let (header, data) = answer.map_err(|error| match log.why_message_was_refused(number) {
            Some(why) => Error::Refused { device: name.text(), action: Action::Message, why },
            None => error,
        })?;
        if header.flags & header::DATA_OUT == 0 {
            return Ok(String::new());
        }
        let text = until_zero(&data).and_then(|text| str::from_utf8(text).ok());
        text.map(str::to_owned).ok_or_else(|| foreign(&name.text(), "it is no text"))
    }

    /// Status of the targets, a line each.
    pub fn status(&self, name: &DeviceName) -> Result<Vec<Line>, Error> {
        self.lines(name, 0)
    }

    /// The table in use.
    pub fn table(&self, name: &DeviceName) -> Result<Vec<Line>, Error> {
        self.lines(name, header::STATUS_TABLE)
    }

    /// Waits until the device has had other than `events` events, however long that takes.
    pub fn wait(&self, name: &DeviceName, events: u32) -> Result<DeviceInfo, Error> {
        let header = Header { event_number: events, ..Selector::Name(name).header() };
        let (header, _) = self.call(Command::DeviceWait, Action::Wait, &header, &[])?;
        info(&header)
    }

    fn lines(&self, name: &DeviceName, flags: u32) -> Result<Vec<Line>, Error> {
        let header = Header { flags, ..Selector::Name(name).header() };
        let (header, data) = self.call(Command::TableStatus, Action::Status, &header, &[])?;
        table::parse(&data, header.target_count).ok_or_else(|| foreign(&name.text(), "it is no table"))
    }

    fn call(
        &self,
        command: Command,
        action: Action,
        header: &Header,
        data: &[u8],
    ) -> Result<(Header, Vec<u8>), Error> {
        perform(self.control.as_fd(), command, header, data).map_err(|errno| {
            let named = DeviceName::of_kernel(&header.name).map(|name| name.text());
            Error::of(errno, action, &named.unwrap_or_else(|| "device-mapper".to_owned()))
        })
    }
}

impl Selector<'_> {
    fn header(self) -> Header {
        match self {
            Self::Name(name) => Header { name: name.as_str().as_bytes().to_vec(), ..Header::default() },
            Self::Number(number) => Header { device: answer::packed(number), ..Header::default() },
        }
    }
}

fn info(header: &Header) -> Result<DeviceInfo, Error> {
    DeviceInfo::of(header).ok_or_else(|| foreign("a mapped device", "it names no device"))
}

fn name_bytes(target: &str) -> Result<Vec<u8>, Error> {
    Ok(DeviceName::of(target)?.as_str().as_bytes().to_vec())
}

fn foreign(device: &str, what: &'static str) -> Error {
    Error::Foreign { device: device.to_owned(), what }
}
