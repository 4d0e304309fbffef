//! What BusyBox and toybox hold, as data.

use super::options::has;

/// The names that busybox 1.35 (Debian 12, dynamic and static) and toybox 0.8.9 list, and those of busybox's documentation, as
/// Alpine builds it. Parted by spaces.
const APPLETS: &str = "\
    [ [[ acpi acpid add-shell addgroup adduser adjtimex ar arch arp arping ascii ash awk base32 base64 basename bc \
    beep blkdiscard blkid blockdev bootchartd brctl bunzip2 busybox bzcat bzip2 cal cat chat chattr chgrp chmod \
    chown chpasswd chpst chroot chrt chvt cksum clear cmp comm conspy count cp cpio crc32 crond crontab cryptpw \
    cttyhack cut date dc dd deallocvt delgroup deluser depmod devmem df dhcprelay diff dirname dmesg dnsd \
    dnsdomainname dos2unix dpkg dpkg-deb du dumpkmap dumpleases echo ed egrep eject env envdir envuidgid \
    ether-wake expand expr factor fakeidentd fallocate false fatattr fbset fbsplash fdflush fdformat fdisk \
    fgconsole fgrep file find findfs flock fmt fold free freeramdisk fsck fsck.minix fsfreeze fstrim fstype fsync \
    ftpd ftpget ftpput fuser getconf getopt getty gpiodetect gpiofind gpioget gpioinfo gpioset grep groups gunzip \
    gzip halt hd hdparm head help hexdump hexedit host hostid hostname httpd hush hwclock i2cdetect i2cdump i2cget \
    i2cset i2ctransfer iconv id ifconfig ifdown ifenslave ifplugd ifup inetd init inotifyd insmod install ionice \
    iorenice iostat iotop ip ipaddr ipcalc ipcrm ipcs iplink ipneigh iproute iprule iptunnel kbd_mode kill killall \
    killall5 klogd last less link linux32 linux64 linuxrc ln loadfont loadkmap logger login logname logread \
    losetup lpd lpq lpr ls lsattr lsmod lsof lspci lsscsi lsusb lzcat lzma lzop makedevs makemime man mcookie \
    md5sum mdev mesg microcom mim mix mkdir mkdosfs mke2fs mkfifo mkfs.ext2 mkfs.minix mkfs.vfat mknod mkpasswd \
    mkswap mktemp modinfo modprobe more mount mountpoint mpstat mt mv nameif nanddump nandwrite nbd-client \
    nbd-server nc netcat netstat nice nl nmeter nohup nologin nproc nsenter nslookup ntpd nuke od oneit openvt \
    partprobe passwd paste patch pgrep pidof ping ping6 pipe_progress pivot_root pkill pmap popmaildir poweroff \
    powertop printenv printf prlimit ps pscan pstree pwd pwdx pwgen raidautorun rdate rdev readahead readelf \
    readlink readprofile realpath reboot reformime remove-shell renice reset resize resume rev rfkill rm rmdir \
    rmmod route rpm rpm2cpio rtcwake run-init run-parts runlevel runsv runsvdir rx script scriptreplay sed seedrng \
    sendmail seq setarch setconsole setfattr setfont setkeycodes setlogcons setpriv setserial setsid setuidgid sh \
    sha1sum sha224sum sha256sum sha384sum sha3sum sha512sum showkey shred shuf slattach sleep smemcap sntp \
    softlimit sort split ssl_client start-stop-daemon stat strings stty su sulogin sum sv svc svlogd svok swapoff \
    swapon switch_root sync sysctl syslogd tac tail tar taskset tc tcpsvd tee telnet telnetd test tftp tftpd time \
    timeout top touch tr traceroute traceroute6 true truncate ts tsort tty ttysize tunctl ubiattach ubidetach \
    ubimkvol ubirename ubirmvol ubirsvol ubiupdatevol uclampset udhcpc udhcpc6 udhcpd udpsvd uevent ulimit umount \
    uname uncompress unexpand unicode uniq unix2dos unlink unlzma unshare unxz unzip uptime users usleep uudecode \
    uuencode uuidgen vconfig vi vlock vmstat volname w wall watch watchdog wc wget which who whoami whois xargs \
    xxd xz xzcat yes zcat zcip";

/// Whether a program that holds many others may be called so: it answers to any other name that there is no such one.
pub(super) fn is_applet(name: &str) -> bool {
    has(APPLETS, name)
}

/// Whether it only answers, by its first argument.
pub(super) fn is_answered(arguments: &[&str]) -> bool {
    matches!(
        arguments,
        [] | ["--help" | "--list" | "--list-full" | "--install" | "--show", ..]
    )
}
