//! TLS for connections: which certificates, and whether clients must use it.
//! It owns what comes from the certificate files; the encrypting is rustls', the moving of bytes the relay's.
//!
//! The directory is laid out as qemu and nbdkit have it: `server-cert.pem` (with any intermediate
//! certificates behind it), `server-key.pem`, and for the verification of clients `ca-cert.pem` and, where
//! certificates have been revoked, `ca-crl.pem`.

mod files;
pub(crate) mod relay;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};

pub use files::PemError;

/// Whether clients have to show a certificate of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// No: the connection is encrypted, and whoever reaches the server may use it.
    #[default]
    NotAsked,
    /// Yes, one that `ca-cert.pem` vouches for and `ca-crl.pem`, where there is one, has not revoked.
    Required,
}

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that must be there cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: PemError,
    },
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("the certificate and key in {} cannot be used: {source}", directory.display())]
    Pair {
        /// The directory.
        directory: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The authority cannot vouch for clients.
    #[error("ca-cert.pem or ca-crl.pem in {} cannot be used: {source}", directory.display())]
    Authority {
        /// The directory.
        directory: PathBuf,
        /// What rustls said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Certificates and key, ready to be used by any number of connections.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    pub(crate) server: Arc<ServerConfig>,
    verifies_clients: bool,
}

impl TlsConfig {
    /// Reads the files of `directory`; see the module.
    pub fn load(directory: &Path, clients: ClientCertificates) -> Result<Self, TlsError> {
        let chain = files::certificates(&directory.join("server-cert.pem"))?;
        let key = files::private_key(&directory.join("server-key.pem"))?;
        let provider = Arc::new(ring::default_provider());
        let pair = |source| TlsError::Pair { directory: directory.to_owned(), source };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(pair)?;
        let builder = match clients {
            ClientCertificates::NotAsked => builder.with_no_client_auth(),
            ClientCertificates::Required => {
                let authority = |source: Box<dyn std::error::Error + Send + Sync>| TlsError::Authority {
                    directory: directory.to_owned(),
                    source,
                };
                let mut roots = rustls::RootCertStore::empty();
                for certificate in files::certificates(&directory.join("ca-cert.pem"))? {
                    roots.add(certificate).map_err(|source| authority(source.into()))?;
                }
                let revoked = files::revocations(&directory.join("ca-crl.pem"))?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .with_crls(revoked)
                    .allow_unknown_revocation_status()
                    .build()
                    .map_err(|source: VerifierBuilderError| authority(source.into()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let server = builder.with_single_cert(chain, key).map_err(pair)?;
        Ok(Self { server: Arc::new(server), verifies_clients: clients == ClientCertificates::Required })
    }

    /// Whether only clients with a certificate get in.
    pub fn verifies_clients(&self) -> bool {
        self.verifies_clients
    }
}

/// Whether connections are encrypted, and with what.
#[derive(Clone, Debug, Default)]
pub enum TlsPolicy {
    /// Never.
    #[default]
    Off,
    /// For clients that ask.
    Offered(TlsConfig),
    /// For all: without it a client learns nothing and gets nothing.
    Required(TlsConfig),
}

impl TlsPolicy {
    /// Whether every client proves who it is.
    pub(crate) fn authenticates(&self) -> bool {
        matches!(self, Self::Required(config) if config.verifies_clients())
    }

    pub(crate) fn config(&self) -> Option<&TlsConfig> {
        match self {
            Self::Off => None,
            Self::Offered(config) | Self::Required(config) => Some(config),
        }
    }

    pub(crate) fn mode(&self) -> crate::nbd::handshake::Tls {
        use crate::nbd::handshake::Tls;
        match self {
            Self::Off => Tls::Off,
            Self::Offered(_) => Tls::Offered,
            Self::Required(_) => Tls::Required,
        }
    }
}
