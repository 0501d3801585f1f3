/**
 * The curve equation of P-256 and P-384 (FIPS 186-5, SP 800-186 3.2.1), y^2 = x^3 - 3x + b over a
 * prime field. Only for public points: nothing here is constant-time, and no secret may ever come
 * near it.
 */

export interface Curve {
  readonly fieldBytes: number;
  readonly p: bigint;
  readonly b: bigint;
}

export const P256: Curve = {
  fieldBytes: 32,
  p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
  b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
};

export const P384: Curve = {
  fieldBytes: 48,
  p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
  b: BigInt(
    "0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875a" +
      "c656398d8a2ed19d2a85c8edd3ec2aef",
  ),
};

/** Whether two big-endian coordinates, each below the prime, satisfy the equation. */
export function isOnCurve(curve: Curve, x: Uint8Array, y: Uint8Array): boolean {
  const { p, b } = curve;
  const xValue = toBigInt(x);
  const yValue = toBigInt(y);
  if (xValue >= p || yValue >= p) return false;
  const right = (((xValue * xValue) % p) * xValue - 3n * xValue + b) % p;
  return (yValue * yValue - right) % p === 0n;
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")}`);
}
