import CLinux

/// The kernel's number of a device.
struct DeviceNumber: Hashable, CustomStringConvertible {
    var major: UInt32
    var minor: UInt32

    init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    init(_ number: UInt64) {
        self.init(major: holdfast_major(number), minor: holdfast_minor(number))
    }

    /// Parses `8:1`, as sysfs and mountinfo write it.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = UInt32(parts[0]), let minor = UInt32(parts[1]) else { return nil }
        self.init(major: major, minor: minor)
    }

    var description: String { "\(major):\(minor)" }
}
