/// Who saw all writes to an image from the moment of a snapshot on. Section: Specs/format/manifest.md.
public struct ChangeTracker: Equatable, Sendable {
    /// "map" or "qemu-bitmap".
    public var kind: String
    /// What is tracked.
    public var id: String
    /// The moment of the snapshot, in the tracker's words.
    public var generation: String

    public init(kind: String, id: String, generation: String) {
        self.kind = kind
        self.id = id
        self.generation = generation
    }

    var json: JSONValue { ["kind": .string(kind), "id": .string(id), "generation": .string(generation)] }

    init(_ json: JSONValue) throws(FormatError) {
        kind = try json.string("kind")
        id = try json.string("id")
        generation = try json.string("generation")
    }
}
