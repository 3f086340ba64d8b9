//! What each request is answered. It owns the way from a request to the device and back.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use remap_core::{Sector, SectorRange};
use remap_io::device::{self, RequestError};

use super::Shared;
use crate::control::request::MAX_MAPPINGS;
use crate::control::response::{FailedRange, MAX_FAILURES};
use crate::control::status::Server;
use crate::control::{Failure, FailureKind, Order, Request, Response, Status};
use crate::net::NetError;

/// Progress is told this often at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// A client hears this often at least that its request is worked on.
const WORKING_EVERY: Duration = Duration::from_secs(2);

/// Where progress is put by the thread that works, for the thread that tells it.
type Report = SyncSender<(u64, u64)>;

impl Shared {
    /// Carries `request` out. What there is to tell meanwhile goes through `send`.
    ///
    /// A request that was begun is carried out whether or not someone waits for it.
    pub(super) fn answer(
        &self,
        request: &Request,
        send: &mut dyn FnMut(&Response) -> Result<(), NetError>,
    ) -> Response {
        let (report, reports) = mpsc::sync_channel(64);
        std::thread::scope(|scope| {
            let work = move || {
                let answered = self.carry_out(request, &report);
                answered.unwrap_or_else(|error| Response::Error(Failure::new(FailureKind::Device, &error)))
            };
            let working =
                match std::thread::Builder::new().name("control work".into()).spawn_scoped(scope, work) {
                    Ok(working) => working,
                    Err(error) => return Response::Error(Failure::new(FailureKind::Device, &error)),
                };
            tell(&reports, send);
            working.join().unwrap_or_else(|_| {
                let message = "this request came to a halt by a defect of this program";
                Response::Error(Failure::new(FailureKind::Device, &message))
            })
        })
    }

    fn carry_out(&self, request: &Request, report: &Report) -> Result<Response, RequestError> {
        Ok(match *request {
            Request::Status => Response::Status(Box::new(self.status())),
            Request::Health => Response::Health((&self.device.status()).into()),
            Request::Spares => {
                Response::Spares { spares: self.device.status().spares.into_iter().map(Into::into).collect() }
            }
            Request::Mappings { from_slot, limit } => self.mappings(from_slot, limit),
            Request::Order { order, start_sector, sectors } => {
                self.order(order, SectorRange::new(Sector(start_sector), sectors), report)?
            }
            Request::Evacuate { spare } => self.device.evacuate(spare).map(|()| Response::Done)?,
            Request::ScrubStart { rate_bytes_per_s } => {
                self.device.scrub_start(rate_bytes_per_s)?;
                self.scrub()
            }
            Request::ScrubStop => {
                self.device.scrub_stop();
                self.scrub()
            }
            Request::ScrubStatus => self.scrub(),
            Request::VerifyMetadata => Response::Metadata(self.device.verify_metadata()?.into()),
            Request::Probe => {
                let answers = self.device.probe();
                self.state(Some(answers))
            }
            Request::Resume => {
                self.device.resume()?;
                self.state(None)
            }
            Request::Shutdown => {
                (self.options.on_shutdown)();
                Response::Done
            }
        })
    }

    fn status(&self) -> Status {
        let serving = self.options.serving.as_ref();
        let server = Server {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.started.elapsed().as_secs(),
            nbd: serving.map_or_else(Vec::new, |serving| {
                serving.addresses().iter().map(ToString::to_string).collect()
            }),
            requires_tls: serving.is_some_and(crate::server::Serving::requires_tls),
            connections: serving.map_or(0, |serving| serving.connections() as u64),
        };
        Status::new(self.device.status(), self.device.scrub_status(), server)
    }

    fn mappings(&self, from_slot: u32, limit: u32) -> Response {
        let limit = limit.clamp(1, MAX_MAPPINGS) as usize;
        let rows = self.device.mappings(from_slot, limit);
        // As many as asked for: there may be more, or the next answer is empty.
        let next_slot = rows.last().filter(|_| rows.len() == limit).and_then(|row| row.slot.checked_add(1));
        Response::Mappings { mappings: rows.into_iter().map(Into::into).collect(), next_slot }
    }

    fn order(&self, order: Order, range: SectorRange, report: &Report) -> Result<Response, RequestError> {
        let order = match order {
            Order::Remap => device::Order::Remap,
            Order::AcceptLoss => device::Order::AcceptLoss,
            Order::Retry { attempts } => device::Order::Retry { attempts },
            Order::Unmap => device::Order::Unmap,
        };
        let mut told: Option<Instant> = None;
        let done = self.device.order(order, range, &mut |done, total| {
            if done == total || told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY) {
                told = Some(Instant::now());
                // A client that takes no lines does without: the order does not wait.
                let _ = report.try_send((done, total));
            }
        })?;
        let failed = done.failures.len() as u64;
        let failures = done.failures.into_iter().take(MAX_FAILURES).map(|(range, message)| FailedRange {
            start_sector: range.start.0,
            sectors: range.sectors,
            message,
        });
        Ok(Response::Ordered { blocks_done: done.blocks_done, failed, failures: failures.collect() })
    }

    fn scrub(&self) -> Response {
        Response::Scrub(self.device.scrub_status().into())
    }

    fn state(&self, answers: Option<bool>) -> Response {
        Response::State { state: self.device.status().state.to_owned(), answers }
    }
}

/// Passes reports on until the work is done, or the client is gone.
fn tell(reports: &Receiver<(u64, u64)>, send: &mut dyn FnMut(&Response) -> Result<(), NetError>) {
    loop {
        let line = match reports.recv_timeout(WORKING_EVERY) {
            Ok((done, total)) => Response::Progress { done, total },
            Err(RecvTimeoutError::Timeout) => Response::Working,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if send(&line).is_err() {
            return;
        }
    }
}
