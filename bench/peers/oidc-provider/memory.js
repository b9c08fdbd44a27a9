// The storage, with the methods that oidc-provider's documentation asks of an adapter: maps of this process.
// Not the one it brings along: that keeps 1000 entries, and takes longer the more tokens a grant has had.
const records = new Map();
const grants = new Map();

export class MemoryAdapter {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload) {
    const { grantId } = payload;
    records.set(this.key(id), payload);
    if (grantId) {
      if (!grants.has(grantId)) grants.set(grantId, new Set());
      grants.get(grantId).add(this.key(id));
    }
  }

  async find(id) {
    return records.get(this.key(id));
  }

  // Those two are for log-ins in a browser and for devices, which are not used here.
  async findByUid() {}

  async findByUserCode() {}

  async consume(id) {
    records.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    records.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const key of grants.get(grantId) ?? []) records.delete(key);
    grants.delete(grantId);
  }
}
