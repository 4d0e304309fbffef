//! The name server of a network: it knows the network's containers, and says of all others that there are none.

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use crate::task::Task;

/// The names of a network's containers, and the task that answers for them.
#[derive(Clone)]
pub(crate) struct Names {
    known: Arc<Mutex<Known>>,
    outside: Arc<Mutex<BTreeSet<String>>>,
    _task: Arc<Task>,
}

/// By their names, in small letters.
type Known = HashMap<String, Vec<Ipv4Addr>>;

/// How many names that nobody here has are remembered.
const REMEMBERED: usize = 8;

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
    pub(crate) fn serve(socket: OwnedFd) -> std::io::Result<Self> {
        let socket = tokio::net::UdpSocket::from_std(UdpSocket::from(socket))?;
        let known = Arc::new(Mutex::new(Known::new()));
        let outside = Arc::new(Mutex::new(BTreeSet::new()));
        let task = Task::spawn({
            let (known, outside) = (known.clone(), outside.clone());
            async move {
                let mut question = [0; 1500];
                loop {
                    let Ok((length, sender)) = socket.recv_from(&mut question).await else {
                        continue;
                    };
                    let answer = {
                        let known = known.lock().unwrap_or_else(PoisonError::into_inner);
                        remember(&question[..length], &known, &outside);
                        answer(&question[..length], &known)
                    };
                    if let Some(answer) = answer {
                        // Who asks asks again.
                        let _ = socket.send_to(&answer, sender).await;
                    }
                }
            }
        });
        Ok(Self {
            known,
            outside,
            _task: Arc::new(task),
        })
    }

    /// From now on these names mean this address too.
    pub(crate) fn add(&self, names: &[String], address: Ipv4Addr) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            known.entry(name.to_ascii_lowercase()).or_default().push(address);
        }
    }

    /// Names of other machines that somebody asked for.
    pub(crate) fn outside(&self) -> Vec<String> {
        let outside = self.outside.lock().unwrap_or_else(PoisonError::into_inner);
        outside.iter().cloned().collect()
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

/// Keeps a name that can only be another machine's: its address was asked for, and it has a domain.
fn remember(question: &[u8], known: &Known, outside: &Mutex<BTreeSet<String>>) {
    let Some((name, rest)) = question.get(HEADER..).and_then(name) else {
        return;
    };
    let kind = rest.first_chunk().map(|kind| u16::from_be_bytes(*kind));
    let is_address = matches!(kind, Some(TYPE_A | TYPE_AAAA));
    let is_anybodys = !name.contains('.')
        || [".arpa", ".local", ".localdomain"]
            .iter()
            .any(|end| name.ends_with(end));
    if is_address && !is_anybodys && !known.contains_key(&name) {
        let mut outside = outside.lock().unwrap_or_else(PoisonError::into_inner);
        if outside.len() < REMEMBERED {
            outside.insert(name);
        }
    }
}

/// The answer to a question; none to what is no question.
fn answer(question: &[u8], known: &Known) -> Option<Vec<u8>> {
    let header = question.get(..HEADER)?;
    let is_question = header[2] & 0x80 == 0;
    let is_standard = header[2] & 0x78 == 0;
    let questions = u16::from_be_bytes([header[4], header[5]]);
    if !is_question || !is_standard || questions != 1 {
        return None;
    }
    let (name, rest) = name(&question[HEADER..])?;
    let asked = question.get(HEADER..question.len() - rest.len() + 4)?;
    let (kind, class) = (
        u16::from_be_bytes([*rest.first()?, *rest.get(1)?]),
        u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]),
    );
    let found = known.get(&name);
    let is_for_addresses = class == CLASS_INTERNET && matches!(kind, TYPE_A | TYPE_ANY);
    let addresses = found.filter(|_| is_for_addresses).map_or(&[][..], Vec::as_slice);
    // A name that is known has no other records, which is another answer than that there is no such name.
    let code = if found.is_some() { 0 } else { NO_SUCH_NAME };
    let wants_recursion = u16::from(header[2] & 1) << 8;
    // An answer, with authority, recursion available.
    let flags = 0x8480 | wants_recursion | code;
    let mut answer = Vec::with_capacity(512);
    answer.extend_from_slice(&header[..2]);
    for number in [flags, 1, u16::try_from(addresses.len()).ok()?, 0, 0] {
        answer.extend(number.to_be_bytes());
    }
    answer.extend_from_slice(asked);
    for address in addresses {
        // The name of the question, by its place.
        answer.extend(0xC00C_u16.to_be_bytes());
        answer.extend(TYPE_A.to_be_bytes());
        answer.extend(CLASS_INTERNET.to_be_bytes());
        answer.extend(LIFETIME.to_be_bytes());
        answer.extend(4_u16.to_be_bytes());
        answer.extend(address.octets());
    }
    Some(answer)
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

    fn known() -> Known {
        let address = Ipv4Addr::new(10, 88, 1, 2);
        Known::from([("kdc.example.com".to_owned(), vec![address])])
    }

    #[test]
    fn a_container_is_found_whatever_the_case() {
        let question = question("KDC.example.com", TYPE_A);
        let answer = answer(&question, &known()).unwrap();
        assert_eq!(&answer[..8], [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1]);
        assert_eq!(answer[12..question.len()], question[12..]);
        assert_eq!(answer[answer.len() - 4..], [10, 88, 1, 2]);
    }

    #[test]
    fn a_known_name_has_no_other_records_and_an_unknown_one_is_none() {
        let none = answer(&question("kdc.example.com", 28), &known()).unwrap();
        assert_eq!((none[3] & 15, none[7]), (0, 0));
        let unknown = answer(&question("example.com", TYPE_A), &known()).unwrap();
        assert_eq!((unknown[3] & 15, unknown[7]), (3, 0));
    }

    #[test]
    fn names_of_other_machines_are_remembered() {
        let outside = Mutex::default();
        for (name, kind) in [
            ("Packages.example.com", TYPE_A),
            ("packages.example.com", TYPE_AAAA),
            // A container's, a misspelt one, what is asked of a name that is none of a machine, and of an address.
            ("kdc.example.com", TYPE_A),
            ("cahce", TYPE_A),
            ("_kerberos.example.com", 16),
            ("1.0.88.10.in-addr.arpa", TYPE_A),
        ] {
            remember(&question(name, kind), &known(), &outside);
        }
        remember(&[0; 5], &known(), &outside);
        let all: Vec<_> = outside.into_inner().unwrap().into_iter().collect();
        assert_eq!(all, ["packages.example.com"]);
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        let good = question("a.b", TYPE_A);
        for end in 0..good.len() {
            assert_eq!(answer(&good[..end], &known()), None, "{end}");
        }
        let mut answered = good.clone();
        answered[2] |= 0x80;
        assert_eq!(answer(&answered, &known()), None);
        let mut reference = good;
        reference[HEADER] = 0xC0;
        assert_eq!(answer(&reference, &known()), None);
    }
}
