import Bytes

// Ids, digests and keys in JSON documents are lower-case hexadecimal.
extension JSONValue {
    static func hexadecimal(_ bytes: [UInt8]) -> JSONValue { .string(Hexadecimal.encode(bytes)) }

    func randomID(_ name: String) throws(FormatError) -> RandomID {
        guard let id = RandomID(hexadecimal: try string(name)) else { throw .member(name) }
        return id
    }

    func digest(_ name: String) throws(FormatError) -> Digest {
        guard let digest = Digest(hexadecimal: try string(name)) else { throw .member(name) }
        return digest
    }

    func optionalDigest(_ name: String) throws(FormatError) -> Digest? {
        guard let text = try optionalString(name) else { return nil }
        guard let digest = Digest(hexadecimal: text) else { throw .member(name) }
        return digest
    }

    func bytes(_ name: String, byteCount: Int) throws(FormatError) -> [UInt8] {
        guard let bytes = Hexadecimal.decode(try string(name)), bytes.count == byteCount else { throw .member(name) }
        return bytes
    }
}
