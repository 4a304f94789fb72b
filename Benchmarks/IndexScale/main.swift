import Bytes
import Glibc
import Packing
import RepositoryFormat

// index-scale FOLDER [CHUNKS]
//
// Fills a local index in FOLDER from 1000 made-up index objects with CHUNKS chunks in all (50 million unless given), as a first synchronisation does once
// they are opened; then opens it, looks chunks up, and adds 100 000. Prints times, bytes written, and anonymous memory. FOLDER must not hold a local index.

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Numbers {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func digest() -> Digest { Digest(words: (next(), next(), next(), next())) }
}

let objectCount = 1000
let chunksPerPack = 2500
let someID = RandomID([UInt8](repeating: 6, count: 16))

/// Packs of 1 MiB segments with chunks of 32 KiB, as a backup of a disk makes them.
func document(_ number: Int, chunkCount: Int) -> (id: IndexID, document: IndexDocument) {
    var numbers = Numbers(state: UInt64(number) << 32)
    let id = IndexID(numbers.digest())
    var packs: [IndexDocument.Pack] = []
    var left = chunkCount
    while left > 0 {
        var segments: [PackDirectory.Segment] = []
        var inPack = min(left, chunksPerPack)
        left -= inPack
        while inPack > 0 {
            let count = min(inPack, 32)
            inPack -= count
            segments.append(
                PackDirectory.Segment(
                    offset: 48, sealedByteCount: 400_000, encodedByteCount: 399_952, decodedByteCount: UInt32(count) << 15, codec: .zstd, keyIndex: 0,
                    digest: someID,
                    chunks: (0..<count).map { _ in PackDirectory.Chunk(id: ChunkID(numbers.digest()), byteCount: 1 << 15) }))
        }
        let key = PackDirectory.Key(
            id: SessionKeyID(someID),
            recipients: [.init(id: someID, sealedKey: [UInt8](repeating: 5, count: PackDirectory.Key.sealedByteCount))])
        let directory = PackDirectory(kind: .data, epoch: 1, packByteCount: 33_000_000, keys: [key], segments: segments)
        packs.append(.init(id: PackID(numbers.digest()), directory: directory))
    }
    return (id, IndexDocument(packs: packs))
}

func seconds() -> Double {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

/// A field of /proc/self, in MiB or as it is.
func field(_ file: String, _ name: String) -> Int {
    guard let stream = unsafe fopen("/proc/self/\(file)", "r") else { return 0 }
    defer { unsafe fclose(stream) }
    var line = [CChar](repeating: 0, count: 256)
    while unsafe fgets(&line, 256, stream) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if text.hasPrefix(name + ":") { return Int(text.dropFirst(name.count + 1).split(whereSeparator: { " \t\n".contains($0) })[0]) ?? 0 }
    }
    return 0
}

func anonymousMebibytes() -> Int { field("status", "RssAnon") / 1024 }
func writtenMebibytes() -> Int { field("io", "wchar") >> 20 }

func run() throws {
    guard CommandLine.arguments.count > 1 else {
        print("index-scale FOLDER [CHUNKS]")
        exit(64)
    }
    let local = LocalIndex(folder: CommandLine.arguments[1])
    let chunkCount = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 0 : 50_000_000
    let perObject = max(chunkCount / objectCount, 1)
    var listed: Set<IndexID> = []

    var start = seconds()
    var peak = 0
    do {
        var runs: [IndexRun] = []
        var batch: [(id: IndexID, document: IndexDocument)] = []
        for number in 0..<objectCount {
            batch.append(document(number, chunkCount: perObject))
            listed.insert(batch[batch.count - 1].id)
            if batch.count * perObject >= LocalIndex.batchChunkCount || number == objectCount - 1 {
                peak = max(peak, anonymousMebibytes())
                if let stored = try local.store(batch, beside: runs) { (runs, batch) = (stored, []) }
                peak = max(peak, anonymousMebibytes())
            }
        }
    }
    print("synchronised \(objectCount) index objects, \(objectCount * perObject) chunks: \(tenths(seconds() - start)) s with making them up, \(writtenMebibytes()) MiB written, \(peak) MiB of anonymous memory")

    let before = anonymousMebibytes()
    start = seconds()
    let runs = local.load(listed: listed)
    let index = ChunkIndex(runs: runs)
    index.setCounting { _ in true }
    let opened = seconds() - start
    print("opened: \(tenths(opened)) s, \(runs.count) runs, \(index.chunkCount) chunks, \(anonymousMebibytes() - before) MiB more of anonymous memory")

    let sample = stride(from: 0, to: objectCount, by: 50).flatMap { document($0, chunkCount: perObject).document.packs.flatMap { $0.directory.segments.flatMap { $0.chunks.map(\.id) } } }
    var ids = stride(from: 0, to: sample.count, by: max(1, sample.count / 500_000)).map { sample[$0] }
    var numbers = Numbers(state: 7)
    ids.shuffle()
    start = seconds()
    let found = ids.count { index.countingLocation($0) != nil }
    let present = Double(ids.count) / (seconds() - start)
    let strangers = (0..<ids.count).map { _ in ChunkID(numbers.digest()) }
    start = seconds()
    let wrong = strangers.count { index.countingLocation($0) != nil }
    let absent = Double(strangers.count) / (seconds() - start)
    guard found == ids.count, wrong == 0 else { fatalError("the index answers wrongly") }
    print("looked up on one core: \(tenths(present / 1e6)) million a second that are there, \(tenths(absent / 1e6)) million that are not")

    let written = writtenMebibytes()
    let new = document(objectCount, chunkCount: 100_000)
    start = seconds()
    _ = try local.store([new], beside: runs)
    print("added 100000 chunks: \(tenths(seconds() - start)) s, \(writtenMebibytes() - written) MiB written")
}

func tenths(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10)"
}

try run()
