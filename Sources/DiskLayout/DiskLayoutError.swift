package import RepositoryFormat

/// Why a description of a disk, or an inspector's answer, is not believed.
package enum DiskLayoutError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Not JSON, or a member is missing or of the wrong type.
    case format(FormatError)
    case outOfBounds(String)
    /// Volumes leave gaps, overlap, or do not end with the disk.
    case notCovering
    /// A volume claims to be a partition that the label does not have, or has elsewhere.
    case notInLabel(UInt32)
    /// Free ranges overlap, are out of order, not aligned, or outside their volume.
    case freeRanges(volume: Int)
    /// The answer does not begin with the magic of this version.
    case anotherVersion
    /// The answer ends before its end mark, or goes on behind it.
    case truncated

    package var description: String {
        switch self {
        case .format(let error): "\(error)"
        case .outOfBounds(let member): "its member “\(member)” is out of bounds"
        case .notCovering: "its volumes do not cover the disk"
        case .notInLabel(let number): "its volume of partition \(number) is not in the label"
        case .freeRanges(let volume): "the free ranges of volume \(volume) are not valid"
        case .anotherVersion: "it is of another version"
        case .truncated: "it does not end with its end mark"
        }
    }
}

/// Runs `body`, turning what it finds wrong with JSON into this module's error.
func reading<Value>(_ body: () throws(FormatError) -> Value) throws(DiskLayoutError) -> Value {
    do { return try body() } catch { throw .format(error) }
}
