/// The blocks of a file, in order, from its extents or its indirect blocks.
struct ExtFileBlocks {
    private struct Run {
        var first: UInt64
        var block: UInt64
        var count: UInt64
    }

    private let blocks: ExtBlocks
    /// In order and without holes.
    private var runs: [Run] = []
    private(set) var count: UInt64 = 0
    private let countMax: UInt64
    private var nodeCount = 0

    /// Nodes of extents, or indirect blocks: more than the largest journal in the smallest blocks needs.
    private static let nodeCountMax = 1 << 15
    private static let extentsFlag: UInt32 = 0x80000

    /// - Parameter countMax: how many blocks the file may have.
    init(inode: Record, in blocks: ExtBlocks, countMax: UInt64) throws(InspectionFailure) {
        self.blocks = blocks
        self.countMax = countMax
        let root = Record(Array(try inode.slice(0x28, 60)))
        if try inode.little32(0x20) & ExtFileBlocks.extentsFlag != 0 {
            try addExtents(of: root, depth: nil)
        } else {
            for index in 0..<12 { try addIndirect(UInt64(try root.little32(4 * index)), level: 0) }
            for level in 1...3 { try addIndirect(UInt64(try root.little32(44 + 4 * level)), level: level) }
        }
    }

    /// The block of the file system that holds the file's block of that number.
    func block(_ number: UInt64) throws(InspectionFailure) -> UInt64 {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = low + (high - low) / 2
            if runs[middle].first + runs[middle].count > number { high = middle } else { low = middle + 1 }
        }
        try require(low < runs.count, "its journal ends too early")
        return runs[low].block + number - runs[low].first
    }

    private mutating func add(_ block: UInt64, _ blockCount: UInt64) throws(InspectionFailure) {
        try require(block > 0 && blockCount > 0 && blockCount <= countMax - min(count, countMax) && block + blockCount <= blocks.blockCount, "its journal lies in impossible places")
        if let last = runs.last, last.block + last.count == block {
            runs[runs.count - 1].count += blockCount
        } else {
            runs.append(Run(first: count, block: block, count: blockCount))
        }
        count += blockCount
    }

    private mutating func countNode() throws(InspectionFailure) {
        nodeCount += 1
        try require(nodeCount <= ExtFileBlocks.nodeCountMax, "the blocks of its journal cannot be followed")
    }

    private mutating func addExtents(of node: Record, depth expectedDepth: UInt16?) throws(InspectionFailure) {
        try countNode()
        let (entryCount, depth) = (try node.little16(2), try node.little16(6))
        try require(try node.little16(0) == 0xF30A && depth <= 5 && expectedDepth.map { $0 == depth } ?? true, "the extents of its journal are damaged")
        for index in 0..<Int(entryCount) {
            let at = 12 + 12 * index
            let first = UInt64(try node.little32(at))
            if depth > 0 {
                let child = UInt64(try node.little32(at + 4)) | UInt64(try node.little16(at + 8)) << 32
                try addExtents(of: try blocks.readStored(child), depth: depth - 1)
            } else {
                // Longer ones are not initialised.
                let blockCount = UInt64(try node.little16(at + 4))
                try require(first == count && blockCount <= 32768, "the extents of its journal are damaged")
                try add(UInt64(try node.little32(at + 8)) | UInt64(try node.little16(at + 6)) << 32, blockCount)
            }
        }
    }

    private mutating func addIndirect(_ block: UInt64, level: Int) throws(InspectionFailure) {
        // A journal has no holes: what is missing lies behind its end.
        if block == 0 || count >= countMax { return }
        if level == 0 { return try add(block, 1) }
        try countNode()
        let table = try blocks.readStored(block)
        for offset in stride(from: 0, to: table.byteCount, by: 4) { try addIndirect(UInt64(try table.little32(offset)), level: level - 1) }
    }
}
