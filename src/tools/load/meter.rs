//! What a time has cost: CPU of the servers and of this process, and memory.

use std::fs;
use std::time::{Duration, Instant};

use super::Process;

/// CPU time is counted from here.
#[derive(Debug)]
pub struct Meter {
    begun: Instant,
    servers: Option<Duration>,
    client: Option<Duration>,
}

/// What it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The time on the clock.
    pub wall: Duration,
    /// CPU time of the servers, all together; `None` if it is not known.
    pub server_cpu: Option<Duration>,
    /// CPU time of this process.
    pub client_cpu: Option<Duration>,
}

impl Meter {
    /// Begins to count.
    pub fn start(servers: &[Process]) -> Self {
        // The clock last: reading /proc is no part of what is measured.
        let (servers, client) = (cpu_of(servers), Process::own().cpu_time().ok());
        Self { begun: Instant::now(), servers, client }
    }

    /// What it has come to.
    pub fn stop(&self, servers: &[Process]) -> Cost {
        let wall = self.begun.elapsed();
        let since = |then: Option<Duration>, now: Option<Duration>| now?.checked_sub(then?);
        let client_cpu = since(self.client, Process::own().cpu_time().ok());
        Cost { wall, server_cpu: since(self.servers, cpu_of(servers)), client_cpu }
    }
}

/// The sum; `None` if there are none, or one can't be read.
fn cpu_of(servers: &[Process]) -> Option<Duration> {
    sum(servers, |server| server.cpu_time().ok())
}

/// Memory of the servers in user space, in bytes; `None` if it is not known.
pub fn user_memory(servers: &[Process]) -> Option<u64> {
    sum(servers, |server| server.memory().ok())
}

fn sum<T: std::iter::Sum>(servers: &[Process], of: impl Fn(Process) -> Option<T>) -> Option<T> {
    if servers.is_empty() { None } else { servers.iter().map(|server| of(*server)).sum() }
}

/// Memory that the kernel holds, of the whole machine, in bytes: its slabs (proc(5), `/proc/meminfo`) and the pages in sockets' buffers
/// (`mem` of TCP in `/proc/net/sockstat`). `None` elsewhere than on Linux.
pub fn kernel_memory() -> Option<u64> {
    let slab = slab(&fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(slab + socket_pages(&fs::read_to_string("/proc/net/sockstat").ok()?)? * PAGE)
}

/// Bytes of a page. The kernel that has others counts these in them too, and is off by their ratio.
const PAGE: u64 = 4096;

fn slab(meminfo: &str) -> Option<u64> {
    let kibibytes = meminfo.lines().find_map(|line| line.strip_prefix("Slab:"))?;
    Some(kibibytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

fn socket_pages(sockstat: &str) -> Option<u64> {
    let mut words = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?.split_whitespace();
    words.find(|word| *word == "mem")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        assert_eq!(slab("MemTotal: 1 kB\nSlab:             103020 kB\n"), Some(103_020 << 10));
        assert_eq!(slab("MemTotal: 1 kB\n"), None);
        let table = "sockets: used 89\nTCP: inuse 6 orphan 0 tw 2 alloc 7 mem 13\nUDP: inuse 1 mem 2\n";
        assert_eq!(socket_pages(table), Some(13));
        assert_eq!(socket_pages("TCP: inuse 6\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_known_is_counted_and_what_is_not_is_not_zero() {
        let meter = Meter::start(&[Process::own(), Process::own()]);
        let cost = meter.stop(&[Process::own(), Process::own()]);
        assert!(cost.server_cpu.is_some() && cost.client_cpu.is_some());
        assert_eq!(Meter::start(&[]).stop(&[]).server_cpu, None);
        let gone = [Process::new(u32::MAX)];
        assert_eq!(Meter::start(&gone).stop(&gone).server_cpu, None);
        assert!(kernel_memory().is_some_and(|bytes| bytes > 0));
    }
}
