//! The name server of a network: it knows the network's containers, and asks the machine for the names of others.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::outside::Unreached;
use crate::task::Task;

/// The names of a network's containers, and the task that answers for them.
#[derive(Clone)]
pub(crate) struct Names {
    known: Arc<Mutex<Known>>,
    _task: Arc<Task>,
}

/// By their names, in small letters.
type Known = HashMap<String, Vec<Ipv4Addr>>;

/// For how many names the machine is asked at once. Whoever gets no answer asks again.
const ASKED: usize = 64;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const TYPE_ANY: u16 = 255;
const CLASS_INTERNET: u16 = 1;
const NO_SUCH_NAME: u16 = 3;
const HEADER: usize = 12;
/// Answers hold for no time at all: containers come and go.
const LIFETIME: u32 = 0;

impl Names {
    /// Answers on a socket from now on.
    ///
    /// # Errors
    /// The socket cannot be used.
    pub(crate) fn serve(socket: OwnedFd, unreached: Unreached) -> std::io::Result<Self> {
        let socket = tokio::net::UdpSocket::from_std(UdpSocket::from(socket))?;
        let known = Arc::new(Mutex::new(Known::new()));
        let server = Server {
            socket: Arc::new(socket),
            known: known.clone(),
            unreached,
            asked: JoinSet::new(),
        };
        Ok(Self {
            known,
            _task: Arc::new(Task::spawn(server.run())),
        })
    }

    /// From now on these names mean this address too.
    pub(crate) fn add(&self, names: &[String], address: Ipv4Addr) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            known.entry(name.to_ascii_lowercase()).or_default().push(address);
        }
    }

    /// From now on nothing means this address.
    pub(crate) fn forget(&self, address: Ipv4Addr) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for addresses in known.values_mut() {
            addresses.retain(|one| *one != address);
        }
        known.retain(|_, addresses| !addresses.is_empty());
    }
}

struct Server {
    socket: Arc<tokio::net::UdpSocket>,
    known: Arc<Mutex<Known>>,
    unreached: Unreached,
    asked: JoinSet<()>,
}

impl Server {
    async fn run(mut self) {
        let mut room = [0; 1500];
        loop {
            tokio::select! {
                received = self.socket.recv_from(&mut room) => {
                    if let Ok((length, sender)) = received
                        && let Some(question) = Question::read(&room[..length])
                    {
                        self.answer(question, sender).await;
                    }
                }
                Some(_) = self.asked.join_next() => {}
            }
        }
    }

    async fn answer(&mut self, question: Question, sender: SocketAddr) {
        let found = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&question.name).cloned()
        };
        if found.is_none() && question.is_for_a_machine() {
            if self.asked.len() < ASKED {
                let (socket, unreached) = (self.socket.clone(), self.unreached.clone());
                self.asked.spawn(async move {
                    unreached.add(question.name.clone());
                    let found = addresses_of(&question.name).await;
                    if found.is_some() {
                        unreached.remove(&question.name);
                    }
                    let _ = socket.send_to(&question.answer(found.as_deref()), sender).await;
                });
            }
            return;
        }
        // Who asks asks again.
        let _ = self
            .socket
            .send_to(&question.answer(found.as_deref()), sender)
            .await;
    }
}

/// What the machine knows of a name. None if that is nothing.
async fn addresses_of(name: &str) -> Option<Vec<Ipv4Addr>> {
    let found = tokio::net::lookup_host((name, 0)).await.ok()?;
    let addresses = found.filter_map(|found| match found {
        SocketAddr::V4(found) => Some(*found.ip()),
        SocketAddr::V6(_) => None,
    });
    Some(addresses.collect())
}

/// A question for a name.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    number: [u8; 2],
    wants_recursion: bool,
    /// In small letters.
    name: String,
    kind: u16,
    class: u16,
    /// As it was put.
    text: Vec<u8>,
}

impl Question {
    /// Reads one. None if it is none.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (header, put) = bytes.split_first_chunk::<HEADER>()?;
        let is_question = header[2] & 0x80 == 0;
        let is_standard = header[2] & 0x78 == 0;
        let questions = u16::from_be_bytes([header[4], header[5]]);
        if !is_question || !is_standard || questions != 1 {
            return None;
        }
        let (name, rest) = name(put)?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (class, rest) = rest.split_first_chunk()?;
        Some(Self {
            number: [header[0], header[1]],
            wants_recursion: header[2] & 1 != 0,
            name,
            kind: u16::from_be_bytes(*kind),
            class: u16::from_be_bytes(*class),
            text: put[..put.len() - rest.len()].to_vec(),
        })
    }

    /// Whether its name can only be another machine's: its address is asked for, and it has a domain.
    fn is_for_a_machine(&self) -> bool {
        let is_for_an_address = matches!(self.kind, TYPE_A | TYPE_AAAA) && self.class == CLASS_INTERNET;
        let has_domain = self.name.contains('.')
            && ![".arpa", ".local", ".localdomain"]
                .iter()
                .any(|end| self.name.ends_with(end));
        is_for_an_address && has_domain
    }

    /// The answer, where its name means these addresses, or nothing.
    fn answer(&self, found: Option<&[Ipv4Addr]>) -> Vec<u8> {
        let is_for_addresses = self.class == CLASS_INTERNET && matches!(self.kind, TYPE_A | TYPE_ANY);
        let addresses = found.filter(|_| is_for_addresses).unwrap_or_default();
        // As many as a message without further agreement can hold.
        let addresses = &addresses[..addresses.len().min(15)];
        // A name that is known has no other records, which is another answer than that there is no such name.
        let code = if found.is_some() { 0 } else { NO_SUCH_NAME };
        // An answer, with authority, recursion available.
        let flags = 0x8480 | u16::from(self.wants_recursion) << 8 | code;
        let mut answer = Vec::with_capacity(512);
        answer.extend(self.number);
        for number in [flags, 1, addresses.len() as u16, 0, 0] {
            answer.extend(number.to_be_bytes());
        }
        answer.extend_from_slice(&self.text);
        for address in addresses {
            // The name of the question, by its place.
            answer.extend(0xC00C_u16.to_be_bytes());
            answer.extend(TYPE_A.to_be_bytes());
            answer.extend(CLASS_INTERNET.to_be_bytes());
            answer.extend(LIFETIME.to_be_bytes());
            answer.extend(4_u16.to_be_bytes());
            answer.extend(address.octets());
        }
        answer
    }
}

/// A name in small letters, and what follows it.
fn name(mut bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut name = String::new();
    loop {
        let (&length, rest) = bytes.split_first()?;
        if length == 0 {
            return Some((name, rest));
        }
        // A question has no references to names before it.
        let (label, rest) = rest
            .split_at_checked(usize::from(length))
            .filter(|_| length < 64)?;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u16) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(label.len() as u8);
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        bytes.extend(kind.to_be_bytes());
        bytes.extend(CLASS_INTERNET.to_be_bytes());
        bytes
    }

    fn asked(name: &str, kind: u16) -> Question {
        Question::read(&question(name, kind)).unwrap()
    }

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 88, 1, 2);

    #[test]
    fn a_container_is_found_whatever_the_case() {
        let bytes = question("KDC.example.com", TYPE_A);
        let question = Question::read(&bytes).unwrap();
        assert_eq!(question.name, "kdc.example.com");
        let answer = question.answer(Some(&[ADDRESS]));
        assert_eq!(&answer[..8], [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1]);
        assert_eq!(answer[12..bytes.len()], bytes[12..]);
        assert_eq!(answer[answer.len() - 4..], [10, 88, 1, 2]);
    }

    #[test]
    fn a_known_name_has_no_other_records_and_an_unknown_one_is_none() {
        let none = asked("kdc.example.com", TYPE_AAAA).answer(Some(&[ADDRESS]));
        assert_eq!((none[3] & 15, none[7]), (0, 0));
        let unknown = asked("example.com", TYPE_A).answer(None);
        assert_eq!((unknown[3] & 15, unknown[7]), (3, 0));
    }

    #[test]
    fn an_answer_fits_into_a_message() {
        let answer = asked("many.example.com", TYPE_A).answer(Some(&[ADDRESS; 100]));
        assert!(answer[7] == 15 && answer.len() <= 512, "{}", answer.len());
    }

    #[test]
    fn the_machine_is_asked_for_names_of_machines_only() {
        assert!(asked("Packages.example.com", TYPE_A).is_for_a_machine());
        assert!(asked("packages.example.com", TYPE_AAAA).is_for_a_machine());
        // A misspelt container, what is asked of a name that is none of a machine, an address, this link's.
        for (name, kind) in [
            ("cahce", TYPE_A),
            ("_kerberos.example.com", 16),
            ("1.0.88.10.in-addr.arpa", TYPE_A),
            ("printer.local", TYPE_A),
            ("localhost.localdomain", TYPE_A),
        ] {
            assert!(!asked(name, kind).is_for_a_machine(), "{name}");
        }
    }

    #[tokio::test]
    async fn the_machine_says_what_it_knows() {
        let known = addresses_of("192.0.2.7").await.unwrap();
        assert_eq!(known, [Ipv4Addr::new(192, 0, 2, 7)]);
        assert_eq!(addresses_of("2001:db8::7").await, Some(Vec::new()));
        assert_eq!(addresses_of("nobody.invalid").await, None);
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        let good = question("a.b", TYPE_A);
        for end in 0..good.len() {
            assert_eq!(Question::read(&good[..end]), None, "{end}");
        }
        let mut answered = good.clone();
        answered[2] |= 0x80;
        assert_eq!(Question::read(&answered), None);
        let mut reference = good;
        reference[HEADER] = 0xC0;
        assert_eq!(Question::read(&reference), None);
    }
}
