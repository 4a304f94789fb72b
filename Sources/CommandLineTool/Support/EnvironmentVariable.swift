import Glibc
import Sealing

/// What the environment says; empty counts as not set.
enum EnvironmentVariable {
    static func text(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// Takes a secret out of the environment, so that programs started later do not inherit it.
    static func takeSecret(_ name: String) -> SecretBytes? {
        guard let value = unsafe getenv(name) else { return nil }
        let byteCount = unsafe strlen(value)
        guard byteCount > 0 else { return nil }
        let secret = unsafe SecretBytes(byteCount: byteCount) { target in
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: value, count: byteCount))
        }
        unsafe explicit_bzero(value, byteCount)
        _ = unsafe unsetenv(name)
        return secret
    }
}
