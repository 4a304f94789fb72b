/// A JSON value whose integers are exact and whose members keep their order.
///
/// A parser of our own because documents come from untrusted storage: depth is limited, duplicate members are refused, integers
/// never pass through a floating-point number, and members this program does not know survive.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// A number with a fraction or an exponent, as it is written. The format uses none.
    case otherNumber(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    public struct Member: Equatable, Sendable {
        public var name: String
        public var value: JSONValue

        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// The member of that name, if this is an object that has one.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }
}

// MARK: Building

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(elements.map { Member($0.0, $0.1) }) }

    /// - Precondition: `value` is at most 2^63 − 1; every count of the format is below 2^56.
    public static func count(_ value: some BinaryInteger) -> JSONValue { .integer(Int64(value)) }

    public static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    public static func strings(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }
}

// MARK: Reading members

extension JSONValue {
    public func string(_ name: String) throws(FormatError) -> String {
        guard case .string(let value)? = self[name] else { throw .member(name) }
        return value
    }

    /// Nil if the member is null; a missing one is an error all the same.
    public func optionalString(_ name: String) throws(FormatError) -> String? {
        switch try value(name) {
        case .null: return nil
        case .string(let value): return value
        default: throw .member(name)
        }
    }

    /// Whatever the member is, if it is there.
    public func value(_ name: String) throws(FormatError) -> JSONValue {
        guard let value = self[name] else { throw .member(name) }
        return value
    }

    public func bool(_ name: String) throws(FormatError) -> Bool {
        guard case .bool(let value)? = self[name] else { throw .member(name) }
        return value
    }

    /// An integer from 0 to `limit`.
    public func count(_ name: String, limit: UInt64) throws(FormatError) -> UInt64 {
        guard case .integer(let value)? = self[name], value >= 0, UInt64(value) <= limit else { throw .member(name) }
        return UInt64(value)
    }

    public func array(_ name: String, limit: Int) throws(FormatError) -> [JSONValue] {
        guard case .array(let values)? = self[name], values.count <= limit else { throw .member(name) }
        return values
    }

    public func strings(_ name: String, limit: Int) throws(FormatError) -> [String] {
        var result: [String] = []
        for value in try array(name, limit: limit) {
            guard case .string(let text) = value else { throw .member(name) }
            result.append(text)
        }
        return result
    }
}
