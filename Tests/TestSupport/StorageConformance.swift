import Bytes
import Storage

/// The properties that every backend has. Each backend's tests run them all:
///
/// ```swift
/// @Test(arguments: StorageConformance.properties)
/// func `memory conforms`(to property: StorageProperty) throws { try property.check(MemoryStorage()) }
/// ```
package enum StorageConformance {
    package static let properties: [StorageProperty] = [preparing, putting, reading, listing, deleting].flatMap(\.self)

    private static let preparing: [StorageProperty] = [
        StorageProperty("before prepare there is no repository") { backend in
            let calls: [(String, () throws(StorageError) -> Void)] = [
                ("put", { () throws(StorageError) in _ = try backend.put(names[0], [1]) }),
                ("get", { () throws(StorageError) in _ = try backend.get(names[0], byteCountMax: 10) }),
                ("ranged get", { () throws(StorageError) in _ = try backend.get(.config, range: 0..<1) }),
                ("stat", { () throws(StorageError) in _ = try backend.stat(names[0]) }),
                ("delete", { () throws(StorageError) in try backend.delete(names[0]) }),
            ] + ObjectKind.allCases.map { kind in ("list \(kind)", { () throws(StorageError) in _ = try backend.list(kind) }) }
            for (call, body) in calls {
                try requireError("noRepository, in \(call)", { if case .noRepository = $0 { true } else { false } }, from: body)
            }
        },
        StorageProperty("after prepare every kind is empty") { backend in
            try backend.prepare()
            for kind in ObjectKind.allCases { try require(try backend.list(kind).isEmpty, "\(kind) is not empty") }
        },
        StorageProperty("prepare again changes nothing") { backend in
            try backend.prepare()
            try put(backend, names[0], [1, 2, 3])
            try backend.prepare()
            try require(try backend.get(names[0], byteCountMax: 10) == [1, 2, 3], "the object is another one")
        },
        StorageProperty("create-if-absent passes its own probe and leaves nothing") { backend in
            try backend.prepare()
            try backend.verifyCreateIfAbsent()
            try require(try backend.list(.verified).isEmpty, "a probe is left")
        },
    ]

    private static let putting: [StorageProperty] = [
        StorageProperty("what was put is read, for an object of every kind") { backend in
            try backend.prepare()
            for (index, name) in everyKind.enumerated() {
                let bytes = SeededBytes.make(seed: UInt64(index), byteCount: 1000 + index)
                try put(backend, name, bytes)
                try require(try backend.get(name, byteCountMax: 2000) == bytes, "\(name) comes back changed")
                try require(try backend.stat(name) == ObjectInfo(name: name, byteCount: UInt64(bytes.count)), "stat of \(name)")
            }
        },
        StorageProperty("an occupied name keeps its bytes") { backend in
            try backend.prepare()
            for name in everyKind {
                try put(backend, name, [1, 2, 3])
                try require(try backend.put(name, [4, 5, 6, 7]) == .occupied, "\(name) could be put twice")
                try require(try backend.put(name, [1, 2, 3]) == .occupied, "\(name) could be put twice with equal bytes")
                try require(try backend.get(name, byteCountMax: 10) == [1, 2, 3], "\(name) was overwritten")
            }
        },
        StorageProperty("of 16 threads that race for a name exactly one wins, and the bytes are its own") { backend in
            try backend.prepare()
            for round in 0..<20 {
                let name = ObjectName(.marks, "race.\(round)")
                let outcomes = raceThreads(count: 16) { index in
                    Result { () throws(StorageError) in try backend.put(name, Array(repeating: UInt8(index), count: 5000)) }
                }
                let winners = try outcomes.enumerated().filter { try $0.element.get() == .created }.map(\.offset)
                try require(winners.count == 1, "the winners of round \(round) are \(winners)")
                let expected = Array(repeating: UInt8(winners[0]), count: 5000)
                try require(try backend.get(name, byteCountMax: 5000) == expected, "the winner's bytes are not there")
            }
        },
        StorageProperty("threads that put different names do not disturb each other") { backend in
            try backend.prepare()
            let failures = raceThreads(count: 8) { thread in
                Result { () throws(StorageError) in
                    for number in 0..<20 {
                        let name = ObjectName(.index, "thread\(thread).\(number)")
                        _ = try backend.put(name, SeededBytes.make(seed: UInt64(thread * 100 + number), byteCount: 777))
                        try backend.barrier()
                    }
                }
            }
            for failure in failures { try failure.get() }
            for thread in 0..<8 {
                for number in 0..<20 {
                    let expected = SeededBytes.make(seed: UInt64(thread * 100 + number), byteCount: 777)
                    let name = ObjectName(.index, "thread\(thread).\(number)")
                    try require(try backend.get(name, byteCountMax: 777) == expected, "\(name) is another one")
                }
            }
        },
        StorageProperty("an empty object is an object") { backend in
            try backend.prepare()
            try put(backend, names[0], [])
            try require(try backend.put(names[0], [1]) == .occupied, "its name is free")
            try require(try backend.get(names[0], byteCountMax: 0).isEmpty, "it has bytes")
            try require(try backend.get(names[0], range: 0..<0).isEmpty, "it has bytes in a range")
            try require(try backend.list(names[0].kind) == [ObjectInfo(name: names[0], byteCount: 0)], "it is not listed")
        },
        StorageProperty("an object of 33 MiB and a few bytes comes back, from memory on a page boundary") { backend in
            try backend.prepare()
            let byteCount = 33 << 20 + 123
            let bytes = SeededBytes.make(seed: 33, byteCount: byteCount)
            let name = digestName(.packs, 33)
            let outcome = try alignedBuffer(of: bytes).withBytes(byteCount: byteCount) { bytes throws(StorageError) in
                try backend.put(name, bytes)
            }
            try require(outcome == .created, "the name is taken")
            try require(try backend.get(name, byteCountMax: UInt64(byteCount)) == bytes, "it comes back changed")
        },
        StorageProperty("sizes around blocks and pieces come back, from aligned and from odd memory") { backend in
            try backend.prepare()
            for byteCount in [1, 4095, 4096, 4097, 1 << 20 - 1, 1 << 20, 1 << 20 + 1, 1 << 20 + 4096, 3 << 20 + 4095] {
                let bytes = SeededBytes.make(seed: UInt64(byteCount), byteCount: byteCount)
                for shift in [0, 1] {
                    let name = ObjectName(.index, "size\(byteCount).\(shift)")
                    let buffer = alignedBuffer(of: bytes, shift: shift)
                    _ = try buffer.withBytes(byteCount: byteCount + shift) { memory throws(StorageError) in
                        try backend.put(name, memory.extracting(droppingFirst: shift))
                    }
                    try require(try backend.get(name, byteCountMax: 4 << 20) == bytes, "\(byteCount) bytes, shifted by \(shift)")
                }
            }
        },
        StorageProperty("a barrier may come first, twice, or after anything") { backend in
            try backend.prepare()
            try backend.barrier()
            try put(backend, names[0], [1])
            try backend.barrier()
            try backend.barrier()
            try backend.delete(names[0])
            try backend.barrier()
            try require(try backend.stat(names[0]) == nil, "the object is back")
        },
    ]

    /// All of `memory` but its first and last byte.
    private static func read(_ backend: any StorageBackend, _ name: ObjectName, _ range: Range<Int>, into memory: inout [UInt8]) throws(StorageError) {
        var failure: StorageError?
        unsafe memory.withUnsafeMutableBytes { memory in
            var span = unsafe MutableSpan<UInt8>(_unsafeBytes: memory[1..<1 + range.count])
            do throws(StorageError) { try backend.get(name, at: UInt64(range.lowerBound), into: &span) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private static let reading: [StorageProperty] = [
        StorageProperty("a range gives exactly its bytes") { backend in
            try backend.prepare()
            let bytes = SeededBytes.make(seed: 1, byteCount: 10_000)
            try put(backend, names[0], bytes)
            for range in [0..<1, 0..<10_000, 9_999..<10_000, 4_095..<4_097, 5_000..<5_000, 10_000..<10_000] as [Range<UInt64>] {
                let expected = Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
                try require(try backend.get(names[0], range: range) == expected, "\(range) is wrong")
            }
        },
        StorageProperty("a range is read into memory of the caller, and nothing beside it") { backend in
            try backend.prepare()
            let bytes = SeededBytes.make(seed: 2, byteCount: 10_000)
            try put(backend, names[0], bytes)
            for range in [0..<1, 0..<10_000, 9_999..<10_000, 4_095..<4_097, 5_000..<5_000] as [Range<Int>] {
                var memory = [UInt8](repeating: 77, count: range.count + 2)
                try read(backend, names[0], range, into: &memory)
                try require(memory == [77] + bytes[range] + [77], "\(range) is wrong")
            }
            var memory = [UInt8](repeating: 77, count: 3)
            let expected = StorageError.shortObject(names[0], byteCount: 10_000, expected: 10_001)
            try requireError("\(expected)", { $0 == expected }) { () throws(StorageError) in try read(backend, names[0], 10_000..<10_001, into: &memory) }
        },
        StorageProperty("a range that ends beyond the object is an error that says by how much") { backend in
            try backend.prepare()
            try put(backend, names[0], [1, 2, 3])
            for range in [0..<4, 3..<4, 4..<4, 100..<200, 0..<(1 << 62)] as [Range<UInt64>] {
                let expected = StorageError.shortObject(names[0], byteCount: 3, expected: range.upperBound)
                try requireError("\(expected)", { $0 == expected }) { () throws(StorageError) in
                    _ = try backend.get(names[0], range: range)
                }
            }
        },
        StorageProperty("an object above the reader's limit is refused, one at the limit is not") { backend in
            try backend.prepare()
            try put(backend, names[0], [1, 2, 3])
            try require(try backend.get(names[0], byteCountMax: 3) == [1, 2, 3], "3 of 3 bytes")
            let expected = StorageError.tooLarge(names[0], byteCount: 3, limit: 2)
            try requireError("\(expected)", { $0 == expected }) { () throws(StorageError) in
                _ = try backend.get(names[0], byteCountMax: 2)
            }
        },
        StorageProperty("a missing object is not found, and stat says so without an error") { backend in
            try backend.prepare()
            for name in everyKind {
                try require(try backend.stat(name) == nil, "stat of \(name)")
                let isNotFound: (StorageError) -> Bool = { $0 == .notFound(name) }
                try requireError("notFound", isNotFound) { () throws(StorageError) in _ = try backend.get(name, byteCountMax: 1) }
                try requireError("notFound", isNotFound) { () throws(StorageError) in _ = try backend.get(name, range: 0..<0) }
            }
        },
    ]

    private static let listing: [StorageProperty] = [
        StorageProperty("a kind lists its own objects with their sizes, and nothing else") { backend in
            try backend.prepare()
            for (index, name) in everyKind.enumerated() { try put(backend, name, Array(repeating: 7, count: index)) }
            for kind in ObjectKind.allCases {
                let expected = everyKind.enumerated().filter { $0.element.kind == kind }
                    .map { ObjectInfo(name: $0.element, byteCount: UInt64($0.offset)) }
                try require(try Set(backend.list(kind)) == Set(expected), "\(kind) lists something else")
            }
        },
        StorageProperty("config lists itself once it is there") { backend in
            try backend.prepare()
            try put(backend, .config, [1, 2])
            try require(try backend.list(.config) == [ObjectInfo(name: .config, byteCount: 2)], "config lists something else")
        },
        StorageProperty("packs are listed from every fan-out folder, once each") { backend in
            try backend.prepare()
            let packs = (0..<512).map { (number: Int) -> ObjectName in
                digestName(number % 2 == 0 ? .packs : .maps, UInt8(number / 2), salt: UInt8(number % 7))
            }
            for pack in packs { try put(backend, pack, [1]) }
            for kind in [ObjectKind.packs, .maps] {
                let listed = try backend.list(kind).map(\.name.path).sorted()
                try require(listed == packs.filter { $0.kind == kind }.map(\.path).sorted(), "\(kind) lists \(listed.count)")
            }
        },
        StorageProperty("names with dots, and of 1 and 128 characters, are listed and read") { backend in
            try backend.prepare()
            for leaf in ["a", "0", "a.b..c.", String(repeating: "z", count: 128), "0.verdict"] {
                let name = ObjectName(.condemned, leaf)
                try put(backend, name, Array(leaf.utf8))
                try require(try backend.get(name, byteCountMax: 128) == Array(leaf.utf8), "\(leaf) is not read")
                try require(try backend.list(.condemned).contains { $0.name == name }, "\(leaf) is not listed")
            }
        },
        StorageProperty("a listing during writes has all that was there before, and no object in part") { backend in
            try backend.prepare()
            let outcomes = raceThreads(count: 2) { thread in
                Result { () throws -> Void in
                    for number in 0..<100 {
                        if thread == 0 {
                            try put(backend, ObjectName(.index, "\(number)"), Array(repeating: 1, count: 20_000))
                            continue
                        }
                        let before = try backend.list(.index)
                        let after = try Set(backend.list(.index))
                        try require(after.isSuperset(of: before), "an object vanished from the listing")
                        try require(after.allSatisfy { $0.byteCount == 20_000 }, "an object is listed in part")
                    }
                }
            }
            for outcome in outcomes { try outcome.get() }
            try require(try backend.list(.index).count == 100, "the last listing")
        },
    ]

    private static let deleting: [StorageProperty] = [
        StorageProperty("a deleted object is gone everywhere, and its neighbours are not") { backend in
            try backend.prepare()
            for name in everyKind { try put(backend, name, [1]) }
            for (index, name) in everyKind.enumerated() {
                try backend.delete(name)
                try require(try backend.stat(name) == nil, "stat still finds \(name)")
                try require(try !backend.list(name.kind).contains { $0.name == name }, "\(name) is still listed")
                try requireError("notFound", { $0 == .notFound(name) }) { () throws(StorageError) in
                    _ = try backend.get(name, byteCountMax: 1)
                }
                for left in everyKind[(index + 1)...] { try require(try backend.stat(left) != nil, "\(left) went with \(name)") }
            }
        },
        StorageProperty("deleting what is not there is no error") { backend in
            try backend.prepare()
            for name in everyKind {
                try backend.delete(name)
                try put(backend, name, [1])
                try backend.delete(name)
                try backend.delete(name)
            }
        },
        StorageProperty("threads that delete one object all succeed") { backend in
            try backend.prepare()
            try put(backend, names[0], [1])
            let outcomes = raceThreads(count: 8) { _ in Result { () throws(StorageError) in try backend.delete(names[0]) } }
            for outcome in outcomes { try outcome.get() }
            try require(try backend.stat(names[0]) == nil, "it is still there")
        },
    ]
}

private func put(_ backend: any StorageBackend, _ name: ObjectName, _ bytes: [UInt8]) throws {
    try require(try backend.put(name, bytes) == .created, "\(name) is reported as taken")
}

private func digestName(_ kind: ObjectKind, _ first: UInt8, salt: UInt8 = 0) -> ObjectName {
    ObjectName(kind, Hexadecimal.encode([first] + [UInt8](repeating: salt, count: 31)))
}

private let names = ["first", "second"].map { ObjectName(.index, $0) }

/// Two objects of each kind but `config`, which has one.
private let everyKind: [ObjectName] = [.config] + ObjectKind.allCases.filter(\.isFolder).flatMap { kind in
    kind.isFannedOut
        ? [digestName(kind, 0x00), digestName(kind, 0xFF)] : [ObjectName(kind, "0"), ObjectName(kind, "\(kind.rawValue).1")]
}

private enum SeededBytes {
    /// Random bytes; a large object repeats a block of 64 KiB and one byte, so that no two of its pages are equal.
    static func make(seed: UInt64, byteCount: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        let block = generator.bytes(min(byteCount, 65_537))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount + block.count)
        while bytes.count < byteCount { bytes += block }
        bytes.removeLast(bytes.count - byteCount)
        return bytes
    }
}

/// A copy of `bytes` that begins `shift` bytes after a page boundary.
private func alignedBuffer(of bytes: [UInt8], shift: Int = 0) -> AlignedBuffer {
    let buffer = AlignedBuffer(byteCapacity: bytes.count + shift)
    // Safe: the buffer copies the memory before the closure ends.
    unsafe bytes.withUnsafeBytes { unsafe buffer.copy($0, at: shift) }
    return buffer
}
