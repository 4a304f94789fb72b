/// What a source is, as recorded in the manifest.
public struct SourceIdentity: Equatable, Sendable {
    public enum Kind: String, Sendable {
        case file
        case device
        case stream
        /// An export of an NBD server.
        case nbd
    }

    public var kind: Kind
    /// The name an image has in its snapshot unless one is given: the path for a file, serial number or WWN for a device, the URI of an export.
    public var imageName: String
    public var path: String
    public var serialNumber: String?
    public var worldWideName: String?
    public var model: String?
    /// Bytes.
    public var logicalSectorByteCount: UInt32
    public var physicalSectorByteCount: UInt32

    public init(
        kind: Kind, imageName: String, path: String, serialNumber: String? = nil, worldWideName: String? = nil, model: String? = nil,
        logicalSectorByteCount: UInt32 = 512, physicalSectorByteCount: UInt32 = 512
    ) {
        self.kind = kind
        self.imageName = imageName
        self.path = path
        self.serialNumber = serialNumber
        self.worldWideName = worldWideName
        self.model = model
        self.logicalSectorByteCount = logicalSectorByteCount
        self.physicalSectorByteCount = physicalSectorByteCount
    }
}
