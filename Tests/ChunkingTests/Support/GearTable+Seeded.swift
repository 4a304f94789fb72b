import TestSupport

@testable import Chunking

extension SeededGenerator {
    mutating func table() -> GearTable { GearTable(bytes(GearTable.byteCount).span) }
}
