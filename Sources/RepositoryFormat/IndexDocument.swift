public import Bytes

/// The body of an index object: directories of packs that were confirmed before it was written. Section: Specs/format/index.md.
///
///     offset  size  field
///          0     4  pack count p
///          …     …  p times: pack id (32), byte count n of its directory's body (4), the body (n)
public struct IndexDocument: Equatable, Sendable {
    public struct Pack: Equatable, Sendable {
        public var id: PackID
        public var directory: PackDirectory

        public init(id: PackID, directory: PackDirectory) { (self.id, self.directory) = (id, directory) }
    }

    public var packs: [Pack]

    public init(packs: [Pack]) { self.packs = packs }

    public var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt32(packs.count))
        for pack in packs {
            let directory = pack.directory.encoded
            writer.write(pack.id.digest)
            writer.write(UInt32(directory.count))
            writer.write(directory)
        }
        return writer.bytes
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(FormatError) {
        let bodies = try decodingLayout { () throws(DecodingError) in
            var reader = ByteReader(bytes)
            let count = try reader.readCount(limit: FormatLimits.packsPerIndexMax, itemByteCount: 36, "pack count")
            var bodies: [(PackID, ArraySlice<UInt8>)] = []
            for _ in 0..<count {
                let id = PackID(try reader.readDigest("pack id"))
                let byteCount = Int(try reader.readUInt32("directory byte count"))
                guard byteCount <= FormatLimits.directoryByteCountMax else { throw .outOfBounds(field: "directory byte count") }
                bodies.append((id, try reader.read(byteCount: byteCount, "directory")))
            }
            try reader.finish()
            return bodies
        }
        packs = []
        for (id, body) in bodies { packs.append(Pack(id: id, directory: try PackDirectory(decoding: body))) }
    }
}
