//! Certificates, keys and revocation lists from PEM files. It owns the reading, and says which file is at fault.

use std::path::Path;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::TlsError;

/// What is wrong with a PEM file.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It cannot be read, or is no PEM.
    #[error("{0}")]
    Unreadable(String),
    /// It holds nothing of what it should.
    #[error("the file holds no {0}")]
    Empty(&'static str),
}

/// All certificates of a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = sections::<CertificateDer<'static>>(path)?;
    if all.is_empty() { Err(failed(path, PemError::Empty("certificate"))) } else { Ok(all) }
}

/// The private key of a file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => failed(path, PemError::Empty("private key")),
        error => failed(path, unreadable(error)),
    })
}

/// All revocation lists of a file, which need not be there.
pub(super) fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let all = sections::<CertificateRevocationListDer<'static>>(path)?;
    if all.is_empty() { Err(failed(path, PemError::Empty("revocation list"))) } else { Ok(all) }
}

fn sections<T: PemObject>(path: &Path) -> Result<Vec<T>, TlsError> {
    let items = T::pem_file_iter(path).map_err(|error| failed(path, unreadable(error)))?;
    items.collect::<Result<_, _>>().map_err(|error| failed(path, unreadable(error)))
}

fn unreadable(error: pem::Error) -> PemError {
    PemError::Unreadable(match error {
        pem::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    })
}

fn failed(path: &Path, source: PemError) -> TlsError {
    TlsError::File { path: path.to_owned(), source }
}
