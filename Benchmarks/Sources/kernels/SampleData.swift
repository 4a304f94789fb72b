import Foundation

/// The bytes everything is measured on: the programs of this machine, as found on any disk that is backed up.
enum SampleData {
    static let byteCount = 64 << 20

    /// - Returns: 64 MiB of `/usr/bin` in order of name, made up to that with pseudo-random bytes where it has less.
    static func load(from folder: String = "/usr/bin") -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names.sorted() where bytes.count < byteCount {
            // What cannot be read is left out: any bytes do.
            guard let content = try? Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)) else { continue }
            bytes.append(contentsOf: content.prefix(byteCount - bytes.count))
        }
        if bytes.count < byteCount { print("\(folder) gives \(bytes.count >> 20) MiB; the rest is pseudo-random") }
        var state: UInt64 = 1
        while bytes.count < byteCount {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes.append(UInt8(truncatingIfNeeded: state >> 56))
        }
        return bytes
    }
}
