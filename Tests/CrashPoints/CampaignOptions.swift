import CrashTrials
import TestSupport

/// What the command line says.
struct CampaignOptions {
    struct Unknown: Error, CustomStringConvertible {
        let description: String
    }

    /// Fewer states than this in a whole campaign mean that it has lost its subject.
    static let stateCountMin = 20_000

    private(set) var operations = CrashOperation.allCases
    private(set) var position: Int?
    private(set) var fault: StorageFault?
    private(set) var seed: UInt64 = 1
    /// Only every so many-th trial.
    private(set) var stride = 1

    var isWhole: Bool { operations.count == CrashOperation.allCases.count && position == nil && fault == nil && stride == 1 }

    init(_ arguments: some Sequence<String>) throws {
        var arguments = Array(arguments)[...]
        while let option = arguments.popFirst() {
            guard let value = arguments.popFirst() else { throw Unknown(description: "\(option) needs a value") }
            func parsed<Value>(_ value: Value?) throws -> Value {
                guard let value else { throw Unknown(description: "\(option) does not take that value") }
                return value
            }
            switch option {
            case "--operation": operations = [try parsed(CrashOperation(rawValue: value))]
            case "--position": position = try parsed(Int(value))
            case "--fault": fault = try parsed(StorageFault.all.first { $0.name == value })
            case "--seed": seed = try parsed(UInt64(value))
            case "--every": stride = try parsed(Int(value).flatMap { $0 > 0 ? $0 : nil })
            default: throw Unknown(description: "\(option) is no option")
            }
        }
    }
}
