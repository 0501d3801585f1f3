/** Values by socket: address and port, without a text made of both for each question. */

export class SocketMap<Value> {
  readonly #addresses = new Map<string, Map<number, Value>>();

  get(address: string, port: number): Value | undefined {
    return this.#addresses.get(address)?.get(port);
  }

  set(address: string, port: number, value: Value): void {
    const ports = this.#addresses.get(address);
    if (ports === undefined) this.#addresses.set(address, new Map([[port, value]]));
    else ports.set(port, value);
  }

  delete(address: string, port: number): void {
    const ports = this.#addresses.get(address);
    ports?.delete(port);
    if (ports?.size === 0) this.#addresses.delete(address);
  }

  *values(): Generator<Value> {
    for (const ports of this.#addresses.values()) yield* ports.values();
  }

  ports(address: string): Iterable<number> {
    return this.#addresses.get(address)?.keys() ?? [];
  }
}

export interface Socket {
  readonly address: string;
  readonly port: number;
}

/** The first of each socket. */
export function unlikeSockets<Each extends Socket>(all: readonly Each[]): readonly Each[] {
  const firsts = new SocketMap<Each>();
  for (const each of all) {
    const { address, port } = each;
    if (firsts.get(address, port) === undefined) firsts.set(address, port, each);
  }
  return all.filter((each) => firsts.get(each.address, each.port) === each);
}

/** For people; an IPv6 address stands in brackets. A path has no port. */
export function socketName({ address, port }: Socket): string {
  if (address.startsWith("unix:")) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
