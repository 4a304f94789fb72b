import RepositoryFormat

/// Every limit that is enforced on a description of a disk. The same table stands in Specs/inspection.md.
package enum DiskLayoutLimits {
    package static let diskByteCountMax = FormatLimits.volumeByteCountMax
    package static let partitionCountMax = 2000
    /// Between, before and behind partitions lies at most one gap each.
    package static let volumeCountMax = 2 * partitionCountMax + 1
    /// UTF-8 bytes of any text.
    package static let textByteCountMax = 1024
    package static let warningCountMax = 1000
    package static let jsonByteCountMax = 8 << 20
    /// Free ranges of one volume; of more, the smallest count as used.
    package static let freeRangeCountMax = 1 << 20
    /// Free ranges of all volumes of an answer.
    package static let answerRangeCountMax = 1 << 22
    /// Free ranges begin and end at multiples of this, counted from the volume's start.
    package static let freeUnitByteCount: UInt64 = 4096
    /// The fixed fields, the JSON, a count for each volume, and two numbers of at most 7 bytes for each range: 2^56 bytes are 2^44 units.
    package static let answerByteCountMax = 24 + jsonByteCountMax + 4 * volumeCountMax + 14 * answerRangeCountMax
}
