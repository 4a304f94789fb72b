/// Every limit that a reader enforces before it allocates. The same table stands in Specs/format/README.md.
public enum FormatLimits {
    public static let version: UInt8 = 1
    public static let suite: UInt8 = 1

    public static let configByteCountMax = 64 << 10
    public static let keyringByteCountMax = 4 << 20
    public static let keySlotByteCountMax = 4 << 10
    public static let manifestByteCountMax = 16 << 20
    public static let recordByteCountMax = 64 << 10
    public static let condemnedByteCountMax = 64 << 20
    public static let indexByteCountMax = 64 << 20
    public static let directoryByteCountMax = 16 << 20
    public static let packByteCountMax = 64 << 20
    /// Decoded, and sealed, of one segment.
    public static let segmentByteCountMax = 8 << 20
    public static let chunkByteCountMax = 4 << 20
    public static let packsPerIndexMax = 4096
    public static let segmentsPerPackMax = 65_536
    public static let chunksPerPackMax = 1 << 20
    public static let keysPerPackMax = 255
    public static let recipientsPerKeyMax = 64

    public static let bandByteCount = 16 << 20
    public static let volumeByteCountMax: UInt64 = 1 << 56
    public static let nodeSlotCount = 256
    public static let mapDepthMax = 4
    /// 512-byte alternation of readable and unreadable sectors is the worst a band can hold.
    public static let bandMapEntryCountMax = 32_768

    public static let jsonDepthMax = 32
    public static let slotCountMax = 1024
    public static let imagesPerSnapshotMax = 1024
    public static let volumesPerImageMax = 4096

    /// Argon2id: operations and bytes. Below the minimum a slot is too weak to be believed; above the maximum it would exhaust the machine.
    public static let argonOperations: ClosedRange<UInt32> = 3...16
    public static let argonByteCount: ClosedRange<UInt64> = (256 << 20)...(4 << 30)
}
