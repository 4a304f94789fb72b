/// Decides what a restore target is, and whether it may be written.
public struct TargetOpener: Sendable {
    /// Whether the user agreed to lose what the target holds.
    public var overwrite: Bool

    public init(overwrite: Bool) { self.overwrite = overwrite }

    /// A path with nothing there becomes a new file. Devices, and files that hold something, need `overwrite`.
    public func open(path: String) throws(ImageError) -> any ImageWriter {
        guard let status = try FileStatus.of(path) else { return try FileImageWriter(path: path, allowExisting: false) }
        switch status.kind {
        case .regular:
            guard overwrite || status.byteCount == 0 else {
                throw .unsuitable(path: path, reason: "the file exists and is not empty; it is overwritten only on request")
            }
            return try FileImageWriter(path: path, allowExisting: true)
        case .blockDevice:
            guard overwrite else {
                throw .unsuitable(path: path, reason: "it is a device, and everything on it would be lost; it is overwritten only on request")
            }
            return try DeviceImageWriter(path: path)
        case .folder:
            throw .unsuitable(path: path, reason: "it is a folder; name a file in it, or a block device")
        case .other:
            throw .unsuitable(path: path, reason: "it is neither a file nor a block device")
        }
    }
}
