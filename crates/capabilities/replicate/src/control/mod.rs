//! How others steer a running replicator: rows in `atalaya.control`, with a notification for each.

mod fence;
mod repair;
mod requests;

pub(crate) use requests::Requests;
