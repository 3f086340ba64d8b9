//! What each request is answered. It owns the way from a request to the device and back.

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

impl Shared {
    /// Carries `request` out; progress goes through `send`.
    pub(super) fn answer(
        &self,
        request: &Request,
        send: &mut dyn FnMut(&Response) -> Result<(), NetError>,
    ) -> Response {
        let answered = match *request {
            Request::Status => Ok(Response::Status(Box::new(self.status()))),
            Request::Health => Ok(Response::Health((&self.device.status()).into())),
            Request::Spares => Ok(Response::Spares {
                spares: self.device.status().spares.into_iter().map(Into::into).collect(),
            }),
            Request::Mappings { from_slot, limit } => Ok(self.mappings(from_slot, limit)),
            Request::Order { order, start_sector, sectors } => {
                self.order(order, SectorRange::new(Sector(start_sector), sectors), send)
            }
            Request::Evacuate { spare } => self.device.evacuate(spare).map(|()| Response::Done),
            Request::ScrubStart { rate_bytes_per_s } => {
                self.device.scrub_start(rate_bytes_per_s).map(|()| self.scrub())
            }
            Request::ScrubStop => {
                self.device.scrub_stop();
                Ok(self.scrub())
            }
            Request::ScrubStatus => Ok(self.scrub()),
            Request::VerifyMetadata => {
                self.device.verify_metadata().map(|report| Response::Metadata(report.into()))
            }
            Request::Probe => {
                let answers = self.device.probe();
                Ok(self.state(Some(answers)))
            }
            Request::Resume => self.device.resume().map(|()| self.state(None)),
            Request::Shutdown => {
                (self.options.on_shutdown)();
                Ok(Response::Done)
            }
        };
        answered.unwrap_or_else(|error| Response::Error(Failure::new(FailureKind::Device, &error)))
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

    fn order(
        &self,
        order: Order,
        range: SectorRange,
        send: &mut dyn FnMut(&Response) -> Result<(), NetError>,
    ) -> Result<Response, RequestError> {
        let order = match order {
            Order::Remap => device::Order::Remap,
            Order::AcceptLoss => device::Order::AcceptLoss,
            Order::Retry { attempts } => device::Order::Retry { attempts },
            Order::Unmap => device::Order::Unmap,
        };
        let mut told: Option<Instant> = None;
        let mut listens = true;
        let report = self.device.order(order, range, &mut |done, total| {
            if listens && (done == total || told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY)) {
                told = Some(Instant::now());
                // An order that was begun is carried out whether or not someone waits for it.
                listens = send(&Response::Progress { done, total }).is_ok();
            }
        })?;
        let failed = report.failures.len() as u64;
        let failures = report.failures.into_iter().take(MAX_FAILURES).map(|(range, message)| FailedRange {
            start_sector: range.start.0,
            sectors: range.sectors,
            message,
        });
        Ok(Response::Ordered { blocks_done: report.blocks_done, failed, failures: failures.collect() })
    }

    fn scrub(&self) -> Response {
        Response::Scrub(self.device.scrub_status().into())
    }

    fn state(&self, answers: Option<bool>) -> Response {
        Response::State { state: self.device.status().state.to_owned(), answers }
    }
}
