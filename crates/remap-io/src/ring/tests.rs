//! Facts about queues. Where the kernel refuses a ring there is nothing to show, and the tests say so.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use remap_core::{DiskError, Sector, SectorRange};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::{Chunk, Completion, Outcome, RingQueue};
use crate::device::{RemapDevice, RequestError};
use crate::disk::faulty::FaultScript;
use crate::disk::{
    AlignedBuffer, Disk, DiskFacts, DiskIdentity, FaultyDisk, FileDisk, MemoryDisk, OpenOptions,
};
use crate::members::{CreateOptions, DeviceOptions, Members, create};

mod together;

const SECTORS: u64 = 8192;

/// Plain files, and what is said of them.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new(options: &CreateOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [("main", SECTORS * 512), ("spare", 16 << 20)] {
            std::fs::File::create(dir.path().join(name)).unwrap().set_len(bytes).unwrap();
        }
        let files = Self { dir };
        create(&Members { main: files.disk("main"), spares: vec![files.disk("spare")] }, options).unwrap();
        files
    }

    fn disk(&self, name: &str) -> Box<dyn Disk> {
        Box::new(FileDisk::open(&self.dir.path().join(name), &OpenOptions::default()).unwrap())
    }

    fn open(&self, main: Box<dyn Disk>) -> Arc<RemapDevice> {
        let members = Members { main, spares: vec![self.disk("spare")] };
        RemapDevice::open(members, &DeviceOptions::default()).unwrap()
    }

    fn open_plainly(&self) -> Arc<RemapDevice> {
        self.open(self.disk("main"))
    }
}

/// A disk whose blocking calls go to one disk, and whose descriptor is another's.
#[derive(Debug)]
struct TwoFaced<D, F> {
    blocking: D,
    descriptor: F,
}

impl<D: Disk, F: AsFd + Send + Sync + std::fmt::Debug> Disk for TwoFaced<D, F> {
    fn facts(&self) -> &DiskFacts {
        self.blocking.facts()
    }
    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
        self.blocking.read(start, into)
    }
    fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), DiskError> {
        self.blocking.write(start, from, durable)
    }
    fn flush(&self) -> Result<(), DiskError> {
        self.blocking.flush()
    }
    fn discard(&self, range: SectorRange) -> Result<(), DiskError> {
        self.blocking.discard(range)
    }
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.descriptor.as_fd())
    }
    fn identity(&self) -> DiskIdentity {
        self.blocking.identity()
    }
    fn path(&self) -> Option<&Path> {
        None
    }
}

fn sockets() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap()
}

/// A descriptor on which every read and write fails, for no reason that is about a place.
fn dead_descriptor() -> OwnedFd {
    sockets().0
}

fn queue_of(device: &Arc<RemapDevice>) -> Option<RingQueue> {
    let queue = RingQueue::new(device, 16).unwrap();
    if queue.is_none() {
        eprintln!("no io_uring here: nothing is shown");
    }
    queue
}

fn next(queue: &mut RingQueue) -> Completion {
    loop {
        let mut first = None;
        let mut count = 0;
        for completion in queue.completions() {
            count += 1;
            first.get_or_insert(completion);
        }
        assert!(count <= 1, "these tests ask for one thing at a time");
        if let Some(completion) = first {
            return completion;
        }
        queue.turn(true).unwrap();
    }
}

fn read(queue: &mut RingQueue, start: u64, sectors: usize) -> Result<AlignedBuffer, RequestError> {
    queue.read(7, Sector(start), AlignedBuffer::zeroed(sectors * 512));
    let Completion { token: 7, outcome: Outcome::Read(result, buffer) } = next(queue) else { panic!() };
    result.map(|()| buffer)
}

fn write(queue: &mut RingQueue, start: u64, bytes: &[u8], durable: bool) -> Result<(), RequestError> {
    queue.write(8, Sector(start), AlignedBuffer::copy_of(bytes), durable);
    let Completion { token: 8, outcome: Outcome::Write(result, buffer) } = next(queue) else { panic!() };
    assert!(*buffer == *bytes, "the buffer comes back as it was");
    result
}

fn flush(queue: &mut RingQueue) -> Result<(), RequestError> {
    queue.flush(9);
    let Completion { token: 9, outcome: Outcome::Flush(result) } = next(queue) else { panic!() };
    result
}

#[test]
fn what_is_written_is_read_again() {
    let files = Files::new(&CreateOptions::default());
    let device = files.open_plainly();
    let Some(mut queue) = queue_of(&device) else { return };
    write(&mut queue, 16, &[5; 8192], false).unwrap();
    write(&mut queue, 24, &[6; 4096], true).unwrap();
    flush(&mut queue).unwrap();
    let back = read(&mut queue, 8, 32).unwrap();
    assert!(back[..4096].iter().all(|byte| *byte == 0));
    assert!(back[4096..8192].iter().all(|byte| *byte == 5));
    assert!(back[8192..12288].iter().all(|byte| *byte == 6));
    assert!(back[12288..].iter().all(|byte| *byte == 0));
    let mut same = vec![0; 32 * 512];
    device.read(Sector(8), &mut same).unwrap();
    assert!(*same == *back);
    assert_eq!(queue.under_way(), 0);
    assert_eq!(device.status().in_flight, 0);
}

#[test]
fn many_requests_are_under_way_at_once_and_each_comes_back_once() {
    let files = Files::new(&CreateOptions::default());
    let device = files.open_plainly();
    let Some(mut queue) = queue_of(&device) else { return };
    for token in 0..256 {
        let block = AlignedBuffer::copy_of(&[token as u8; 4096]);
        queue.write(token, Sector(token * 8), block, false);
    }
    let mut seen = vec![false; 256];
    while queue.under_way() > 0 {
        queue.turn(true).unwrap();
        for completion in queue.completions() {
            let Outcome::Write(Ok(()), _) = completion.outcome else { panic!() };
            assert!(!std::mem::replace(&mut seen[completion.token as usize], true));
        }
    }
    assert!(seen.iter().all(|seen| *seen));
    for token in 0..256 {
        let back = read(&mut queue, token * 8, 8).unwrap();
        assert!(back.iter().all(|byte| u64::from(*byte) == token));
    }
}

#[test]
fn a_disk_without_a_descriptor_has_no_ring() {
    let files = Files::new(&CreateOptions::default());
    let faulty = FaultyDisk::new(files.disk("main"), FaultScript::default());
    let device = files.open(Box::new(faulty));
    assert!(RingQueue::new(&device, 16).unwrap().is_none());
}

#[test]
fn what_fails_in_the_ring_is_recovered() {
    let files = Files::new(&CreateOptions::default());
    let device =
        files.open(Box::new(TwoFaced { blocking: files.disk("main"), descriptor: dead_descriptor() }));
    let Some(mut queue) = queue_of(&device) else { return };
    let data: Vec<u8> = (0..600 * 512_usize).map(|n| (n / 512) as u8).collect();
    write(&mut queue, 100, &data, true).unwrap();
    write(&mut queue, 8, &[9; 4096], false).unwrap();
    assert_eq!(device.status().slots_used, 1, "a block is not tried again where it was refused");
    let back = read(&mut queue, 100, 600).unwrap();
    assert!(*back == *data);
    assert!(read(&mut queue, 8, 8).unwrap().iter().all(|byte| *byte == 9));
    assert!(flush(&mut queue).is_err(), "a socket cannot be flushed");
}

#[test]
fn a_sector_that_cannot_be_read_is_lost_to_the_ring_too() {
    for lost_reads_zero in [false, true] {
        let files = Files::new(&CreateOptions { lost_reads_zero, ..CreateOptions::default() });
        let faulty = FaultyDisk::new(files.disk("main"), "bad-read 100 1".parse().unwrap());
        let device = files.open(Box::new(TwoFaced { blocking: faulty, descriptor: dead_descriptor() }));
        let Some(mut queue) = queue_of(&device) else { return };
        write(&mut queue, 96, &[7; 8192], false).unwrap();
        for _ in 0..2 {
            let result = read(&mut queue, 96, 8);
            if lost_reads_zero {
                let back = result.unwrap();
                assert!(back[4 * 512..5 * 512].iter().all(|byte| *byte == 0));
                assert!(back[5 * 512..].iter().all(|byte| *byte == 7));
            } else {
                assert_eq!(result.unwrap_err(), RequestError::Disk(DiskError::Medium));
            }
        }
        assert_eq!(device.status().lost_sectors, 1);
        write(&mut queue, 100, &[3; 512], false).unwrap();
        assert!(read(&mut queue, 100, 1).unwrap().iter().all(|byte| *byte == 3));
    }
}

#[test]
fn requests_that_make_no_sense_come_back_as_refused() {
    let files = Files::new(&CreateOptions::default());
    let device = files.open_plainly();
    let Some(mut queue) = queue_of(&device) else { return };
    assert_eq!(read(&mut queue, SECTORS, 8).unwrap_err(), RequestError::OutOfRange);
    assert_eq!(read(&mut queue, u64::MAX, 8).unwrap_err(), RequestError::OutOfRange);
    assert_eq!(read(&mut queue, 0, 0).unwrap_err(), RequestError::Misaligned);
    assert_eq!(write(&mut queue, 0, &[0; 100], false), Err(RequestError::Misaligned));
    device.close().unwrap();
    assert_eq!(read(&mut queue, 0, 8).unwrap_err(), RequestError::Closed);
    assert_eq!(flush(&mut queue), Err(RequestError::Closed));
}

#[test]
fn a_queue_dropped_with_requests_under_way_leaves_the_device_in_order() {
    let files = Files::new(&CreateOptions::default());
    let device = files.open_plainly();
    let Some(mut queue) = queue_of(&device) else { return };
    let (socket, _peer) = sockets();
    let socket = queue.attach(socket).unwrap();
    queue.receive(1, socket, AlignedBuffer::zeroed(4096), 0..4096);
    queue.turn(false).unwrap();
    for token in 0..64 {
        queue.read(token, Sector(token * 8), AlignedBuffer::zeroed(4096));
    }
    queue.flush(64);
    drop(queue);
    assert_eq!(device.status().in_flight, 0);
    device.close().unwrap();
}

#[test]
fn sockets_are_served_by_the_same_ring() {
    let files = Files::new(&CreateOptions::default());
    let device = files.open_plainly();
    let Some(mut queue) = queue_of(&device) else { return };
    let (socket, peer) = sockets();
    let socket = queue.attach(socket).unwrap();
    queue.receive(1, socket, AlignedBuffer::zeroed(100), 10..20);
    rustix::io::write(&peer, b"hello").unwrap();
    let Completion { token: 1, outcome: Outcome::Received(Ok(5), buffer) } = next(&mut queue) else {
        panic!()
    };
    assert_eq!(&buffer[10..15], b"hello");

    // More than a socket takes at once, in many chunks.
    let big = AlignedBuffer::copy_of(&vec![7; 3 << 20]);
    let mut chunks = vec![Chunk::Bytes(vec![1; 100]), Chunk::Buffer(big, 100..3 << 20), Chunk::Bytes(vec![])];
    chunks.extend((0..3000).map(|_| Chunk::Bytes(vec![2; 3])));
    let bytes = (3 << 20) + 9000;
    queue.send(2, socket, chunks);
    let reader = std::thread::spawn(move || {
        let mut all = vec![0; bytes];
        let mut filled = 0;
        while filled < bytes {
            filled += rustix::io::read(&peer, &mut all[filled..]).unwrap();
        }
        all
    });
    let Completion { token: 2, outcome: Outcome::Sent(Ok(()), chunks) } = next(&mut queue) else { panic!() };
    assert_eq!(chunks.len(), 3003);
    let all = reader.join().unwrap();
    assert!(all[..100].iter().all(|byte| *byte == 1));
    assert!(all[100..3 << 20].iter().all(|byte| *byte == 7));
    assert!(all[3 << 20..].iter().all(|byte| *byte == 2));
}

#[test]
fn the_end_of_a_stream_and_a_peer_that_is_gone_are_told() {
    let files = Files::new(&CreateOptions::default());
    let device = files.open_plainly();
    let Some(mut queue) = queue_of(&device) else { return };
    let (socket, peer) = sockets();
    let socket = queue.attach(socket).unwrap();
    drop(peer);
    queue.receive(1, socket, AlignedBuffer::zeroed(512), 0..512);
    assert!(matches!(next(&mut queue).outcome, Outcome::Received(Ok(0), _)));
    queue.send(2, socket, vec![Chunk::Bytes(vec![1])]);
    let Outcome::Sent(Err(error), _) = next(&mut queue).outcome else { panic!() };
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    queue.send(3, socket, vec![Chunk::Buffer(AlignedBuffer::zeroed(10), 5..11)]);
    assert!(matches!(next(&mut queue).outcome, Outcome::Sent(Err(_), _)));
    queue.receive(4, socket, AlignedBuffer::zeroed(10), 5..11);
    assert!(matches!(next(&mut queue).outcome, Outcome::Received(Err(_), _)));
}

#[test]
fn a_memory_disk_behind_a_dead_descriptor_still_serves() {
    let main = TwoFaced { blocking: MemoryDisk::new(SECTORS), descriptor: dead_descriptor() };
    let files = Files::new(&CreateOptions::default());
    let device = files.open(Box::new(main));
    let Some(mut queue) = queue_of(&device) else { return };
    write(&mut queue, 0, &vec![4; 1 << 20], false).unwrap();
    assert!(read(&mut queue, 0, 2048).unwrap().iter().all(|byte| *byte == 4));
}
