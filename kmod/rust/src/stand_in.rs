//! A stand-in for the C glue, for tests on the build machine: disks in memory, sectors that fail on request.
//! The real glue is tested in the lab, under real kernels.

use core::ffi::{c_char, c_void};
use core::ptr::null_mut;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::boxed::Box;
use std::collections::BTreeSet;
use std::string::String;
use std::sync::Mutex;
use std::vec::Vec;

use crate::abi::{self, Params};
use crate::engine::Engine;
use crate::exports;

/// The disks: main first, then the spares.
#[derive(Default)]
pub struct Disks {
    pub bytes: Vec<Vec<u8>>,
    /// Device and sector of those that fail.
    pub bad: BTreeSet<(u32, u64)>,
    pub events: Vec<abi::Event>,
    pub finished: Vec<(u32, u32)>,
    pub flushes: usize,
}

/// What the engine knows as the glue's context.
pub struct StandIn(pub Mutex<Disks>);

/// Before the memory that is given out: its size, kept for giving it back.
const HEADER: usize = 4096;

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_alloc(bytes: u64) -> *mut c_void {
    let Ok(layout) = Layout::from_size_align(bytes as usize + HEADER, HEADER) else { return null_mut() };
    // SAFETY: the size is not zero.
    let start = unsafe { alloc_zeroed(layout) };
    assert!(!start.is_null());
    // SAFETY: the header is larger than a number.
    unsafe { start.cast::<usize>().write_unaligned(layout.size()) };
    // SAFETY: within the allocation.
    unsafe { start.add(HEADER) }.cast()
}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_free(memory: *mut c_void) {
    // SAFETY: from `dmr_glue_alloc`, so the header lies before it.
    let start = unsafe { memory.cast::<u8>().sub(HEADER) };
    // SAFETY: written there.
    let size = unsafe { start.cast::<usize>().read_unaligned() };
    let layout = Layout::from_size_align(size, HEADER).expect("as when it was allocated");
    // SAFETY: from `alloc_zeroed` with this layout.
    unsafe { dealloc(start, layout) };
}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_now_ms() -> u64 {
    0
}

fn disks<'a>(context: *mut c_void) -> std::sync::MutexGuard<'a, Disks> {
    // SAFETY: tests give the engine a `StandIn` that outlives it.
    let stand_in: &StandIn = unsafe { &*context.cast::<StandIn>() };
    stand_in.0.lock().expect("no test panics while it holds it")
}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_rw(
    context: *mut c_void,
    device: u32,
    write: u32,
    sector: u64,
    sectors: u32,
    data: *mut c_void,
) -> u32 {
    let mut disks = disks(context);
    if (sector..sector + u64::from(sectors)).any(|sector| disks.bad.contains(&(device, sector))) {
        return 1;
    }
    let bytes = sectors as usize * 512;
    // SAFETY: by the engine's promise.
    let data = unsafe { core::slice::from_raw_parts_mut(data.cast::<u8>(), bytes) };
    let disk = &mut disks.bytes[device as usize];
    let Some(place) = disk.get_mut(sector as usize * 512..sector as usize * 512 + bytes) else { return 8 };
    if write == 0 {
        data.copy_from_slice(place);
    } else {
        place.copy_from_slice(data);
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_job_rw(
    context: *mut c_void,
    device: u32,
    write: u32,
    sector: u64,
    sectors: u32,
    _job: u32,
    _offset: u32,
) -> u32 {
    // Every job writes sevens and reads into nothing.
    let mut data = std::vec![7_u8; sectors as usize * 512];
    dmr_glue_rw(context, device, write, sector, sectors, data.as_mut_ptr().cast())
}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_flush(context: *mut c_void, _device: u32) -> u32 {
    disks(context).flushes += 1;
    0
}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_drain(_context: *mut c_void) {}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_released(_context: *mut c_void) {}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_deliver(
    _context: *mut c_void,
    _job: u32,
    _offset: u32,
    _sectors: u32,
    _from: *const c_void,
) {
}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_finished(context: *mut c_void, job: u32, error: u32) {
    disks(context).finished.push((job, error));
}

#[unsafe(no_mangle)]
extern "C" fn dmr_glue_event(context: *mut c_void, event: *const abi::Event) {
    // SAFETY: valid during the call.
    disks(context).events.push(unsafe { *event });
}

/// A set on the stand-in.
pub struct Rig {
    pub glue: Box<StandIn>,
    pub params: Params,
}

impl Rig {
    /// A main device of `main` sectors and spares of so many.
    pub fn new(main: u64, spares: &[u64]) -> Self {
        let sizes = core::iter::once(main).chain(spares.iter().copied());
        let bytes = sizes.map(|sectors| std::vec![0; sectors as usize * 512]).collect();
        let mut params = Params {
            main_sectors: main,
            now_unix_s: 1,
            main_logical_bytes: 512,
            main_physical_bytes: 512,
            spare_count: spares.len() as u32,
            options: 0,
            block_sectors: 0,
            copies: 0,
            spares: Default::default(),
            random: core::array::from_fn(|at| at as u8 ^ (at / 16) as u8),
            name: [0; 65],
            main_path: [0; 257],
            partition_uuid: [0; 41],
            padding: [0; 5],
        };
        for (given, sectors) in params.spares.iter_mut().zip(spares) {
            *given = abi::SpareParams { sectors: *sectors, logical_bytes: 512, padding: 0 };
        }
        Self { glue: Box::new(StandIn(Mutex::new(Disks { bytes, ..Disks::default() }))), params }
    }

    pub fn disks(&self) -> std::sync::MutexGuard<'_, Disks> {
        self.glue.0.lock().expect("no test panics while it holds it")
    }

    /// Opens the set; or says why not.
    pub fn open(&self) -> Result<Open, String> {
        let mut why = [0 as c_char; 512];
        let context = (&raw const *self.glue).cast_mut().cast();
        // SAFETY: the stand-in outlives the engine, and everything else is valid.
        let engine =
            unsafe { exports::dmr_engine_open(context, &raw const self.params, why.as_mut_ptr(), 512) };
        if engine.is_null() { Err(said(&why)) } else { Ok(Open(engine)) }
    }
}

/// An engine that is given back when it goes.
pub struct Open(pub *mut Engine);

impl Open {
    pub fn engine(&self) -> &Engine {
        // SAFETY: from `dmr_engine_open`, and given back only when this goes.
        unsafe { &*self.0 }
    }

    pub fn batch(&self, jobs: &[abi::Job]) {
        // SAFETY: tests are the only user.
        unsafe { exports::dmr_engine_batch(self.0, jobs.as_ptr(), jobs.len() as u32) }
    }

    pub fn close(self) -> u32 {
        // SAFETY: tests are the only user.
        unsafe { exports::dmr_engine_close(self.0) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: from `dmr_engine_open`, once.
        unsafe { exports::dmr_engine_free(self.0) }
    }
}

/// A text of C.
pub fn said(buffer: &[c_char]) -> String {
    buffer.iter().take_while(|byte| **byte != 0).map(|byte| char::from(byte.cast_unsigned())).collect()
}
