/// Features that a program must know before it may read, write or prune. An unknown one refuses just that.
public struct FeatureSet: Equatable, Sendable {
    public enum Operation: String, CaseIterable, Sendable {
        case read
        case write
        case prune
    }

    /// What this program knows. Format 1 starts with none.
    public static let known: Set<String> = []

    public var read: [String]
    public var write: [String]
    public var prune: [String]

    public static let none = FeatureSet(read: [], write: [], prune: [])

    public init(read: [String], write: [String], prune: [String]) {
        (self.read, self.write, self.prune) = (read, write, prune)
    }

    /// - Throws: `.missingFeature` if `operation` needs one this program does not know.
    public func permit(_ operation: Operation) throws(FormatError) {
        let needed =
            switch operation {
            case .read: read
            case .write: read + write
            case .prune: read + write + prune
            }
        if let unknown = needed.first(where: { !FeatureSet.known.contains($0) }) {
            throw .missingFeature(unknown, operation: operation)
        }
    }

    var json: JSONValue { ["read": .strings(read), "write": .strings(write), "prune": .strings(prune)] }

    /// Reads member `required_features` of `document`.
    init(of document: JSONValue) throws(FormatError) {
        guard let json = document["required_features"] else { throw .member("required_features") }
        read = try json.strings("read", limit: 256)
        write = try json.strings("write", limit: 256)
        prune = try json.strings("prune", limit: 256)
    }
}
