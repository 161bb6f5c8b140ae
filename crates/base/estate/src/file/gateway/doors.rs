//! Where the gateway listens, and the certificates it shows there.

use std::ops::Range;

use super::fields::{Fields, Sockets, address_of};
use super::keys;
use crate::file::reader::Reader;
use crate::file::tree::Value;
use crate::file::values::flag_of;
use crate::{GatewayAdmin, GatewayTls, ListenAddress};

/// Every socket of the gateway.
pub(crate) struct Doors {
    pub(crate) listen: Vec<ListenAddress>,
    pub(crate) tls: Option<GatewayTls>,
    pub(crate) admin: Option<GatewayAdmin>,
    pub(crate) metrics: Option<ListenAddress>,
}

type Placed = (ListenAddress, Range<usize>);

pub(crate) fn doors_of(reader: &mut Reader<'_>, gateway: &Fields<'_>) -> Doors {
    let clients = listen_of(reader, gateway);
    let tls = tls_of(reader, gateway);
    let (admin, admin_address) = admin_of(reader, gateway);
    let metrics = gateway.address(reader, "metrics", Sockets::TcpOnly);
    let all: Vec<&Placed> = clients.iter().chain(&admin_address).chain(&metrics).collect();
    refuse_duplicates(reader, &all);
    let listen = clients.into_iter().map(|(address, _)| address).collect();
    Doors { listen, tls, admin, metrics: metrics.map(|(address, _)| address) }
}

fn listen_of(reader: &mut Reader<'_>, gateway: &Fields<'_>) -> Vec<Placed> {
    let Some(node) = gateway.node("listen") else {
        // It stands nowhere; first in the file's order, it is never the one that is told to be taken.
        return keys::LISTEN.parse().into_iter().map(|address| (address, 0..0)).collect();
    };
    let what = gateway.named("listen");
    let texts = match &node.value {
        Value::List(_) => reader.texts(node, &what, "leave the key out for `127.0.0.1:6432`"),
        _ => gateway.text(reader, "listen").into_iter().collect(),
    };
    texts.iter().filter_map(|text| address_of(reader, text, &what, Sockets::TcpAndUnix)).collect()
}

fn tls_of(reader: &mut Reader<'_>, gateway: &Fields<'_>) -> Option<GatewayTls> {
    let entry = gateway.entry("tls")?;
    let fields = Fields::new(reader, &entry.value, &entry.key_span, gateway.named("tls"), keys::TLS);
    let certificate = fields.path(reader, "certificate");
    let key = fields.path(reader, "key");
    let required = fields.node("required").is_some_and(|node| flag_of(reader, node, &fields.named("required")));
    Some(GatewayTls { certificate: certificate?, key: key?, required })
}

fn admin_of(reader: &mut Reader<'_>, gateway: &Fields<'_>) -> (Option<GatewayAdmin>, Option<Placed>) {
    let Some(entry) = gateway.entry("admin") else { return (None, None) };
    let fields = Fields::new(reader, &entry.value, &entry.key_span, gateway.named("admin"), keys::ADMIN);
    let address = fields.address(reader, "listen", Sockets::TcpOnly);
    let paths = ["certificate", "key", "authority"].map(|name| fields.path(reader, name));
    let admin = match (&address, paths) {
        (Some((listen, _)), [Some(certificate), Some(key), Some(authority)]) => {
            Some(GatewayAdmin { listen: listen.clone(), certificate, key, authority })
        }
        _ => None,
    };
    (admin, address)
}

fn refuse_duplicates(reader: &mut Reader<'_>, all: &[&Placed]) {
    for (index, (address, span)) in all.iter().enumerate() {
        if all.iter().take(index).any(|(earlier, _)| earlier == address) {
            let message = format!("`{}` is listened on twice", reader.shown(&address.to_string(), span));
            let hint = "give each its own port".to_owned();
            reader.report("estate::contradiction", span, "already used", message, hint);
        }
    }
}
