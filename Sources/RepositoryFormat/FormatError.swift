public import Bytes

/// Why bytes are not what the format says they should be.
public enum FormatError: Error, Equatable, Sendable {
    /// The bytes do not begin with the magic of an object.
    case notAnObject
    /// An object of another type stands where this one belongs.
    case wrongType(found: UInt8, expected: ObjectType)
    /// Written by a newer format.
    case newerFormat(version: UInt8)
    case unknownSuite(UInt8)
    /// A feature without which this operation would do harm.
    case missingFeature(String, operation: FeatureSet.Operation)
    case layout(DecodingError)
    case json(reason: String, position: Int)
    /// A JSON member is missing, or has a value that it cannot have.
    case member(String)
}

extension FormatError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notAnObject: "it is not an object of a Holdfast repository"
        case .wrongType(let found, let expected): "it is of type \(found), not a \(expected)"
        case .newerFormat(let version): "it is of format \(version), and this program knows formats up to \(FormatLimits.version); use a newer Holdfast"
        case .unknownSuite(let suite): "it uses cipher suite \(suite), which this program does not know; use a newer Holdfast"
        case .missingFeature(let feature, let operation): "it needs feature “\(feature)” to \(operation.rawValue), which this program does not know; use a newer Holdfast"
        case .layout(let error): "\(error)"
        case .json(let reason, let position): "its JSON is broken at byte \(position): \(reason)"
        case .member(let name): "its member “\(name)” is missing or not valid"
        }
    }
}

/// Runs `body`, turning what it finds wrong with the layout into this module's error.
func decodingLayout<Value>(_ body: () throws(DecodingError) -> Value) throws(FormatError) -> Value {
    do { return try body() } catch { throw .layout(error) }
}
