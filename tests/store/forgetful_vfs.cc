#include "forgetful_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/check.h"

namespace hone::store {

struct ForgetfulVfs::Registration {
  std::string name;
  sqlite3_vfs vfs = {};
};

namespace {

// What SQLite allocates: ours first, the system's file behind it.
struct OpenFile {
  sqlite3_file base;
  ForgetfulVfs* layer;
  const char* path;  // null: a temporary file, which nobody expects to survive
};

sqlite3_file* real_of(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<OpenFile*>(file) + 1);
}

sqlite3_vfs* system_vfs() { return sqlite3_vfs_find(nullptr); }

}  // namespace

void ForgetfulVfs::apply(const Change& change, std::string& image) {
  if (change.is_truncation) {
    image.resize(change.offset);
    return;
  }
  if (image.size() < change.offset + change.bytes.size()) {
    image.resize(change.offset + change.bytes.size());
  }
  image.replace(change.offset, change.bytes.size(), change.bytes);
}

// The calls of SQLite's interface, as plain functions.
struct ForgetfulCalls {
  static ForgetfulVfs::File& file_of(OpenFile* open) { return open->layer->files_[open->path]; }

  static int close(sqlite3_file* file) { return real_of(file)->pMethods->xClose(real_of(file)); }
  static int read(sqlite3_file* file, void* out, int n, sqlite3_int64 at) {
    return real_of(file)->pMethods->xRead(real_of(file), out, n, at);
  }
  static int write(sqlite3_file* file, const void* bytes, int n, sqlite3_int64 at) {
    auto* open = reinterpret_cast<OpenFile*>(file);
    if (open->layer->refuse_writes_) return SQLITE_FULL;
    // The record and the write are one step for lose_power().
    std::lock_guard lock(open->layer->mutex_);
    int code = real_of(file)->pMethods->xWrite(real_of(file), bytes, n, at);
    if (code == SQLITE_OK && open->path != nullptr) {
      file_of(open).pending.push_back(
          {static_cast<uint64_t>(at),
           std::string(static_cast<const char*>(bytes), static_cast<size_t>(n)), false});
    }
    return code;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    auto* open = reinterpret_cast<OpenFile*>(file);
    std::lock_guard lock(open->layer->mutex_);
    int code = real_of(file)->pMethods->xTruncate(real_of(file), size);
    if (code == SQLITE_OK && open->path != nullptr) {
      file_of(open).pending.push_back({static_cast<uint64_t>(size), "", true});
    }
    return code;
  }
  static int sync(sqlite3_file* file, int flags) {
    auto* open = reinterpret_cast<OpenFile*>(file);
    // The disk is not asked: this test is about what our layer was asked. What was written before
    // the sync began is durable when it returns.
    (void)flags;
    if (open->layer->refuse_syncs_) return SQLITE_IOERR_FSYNC;
    if (open->path == nullptr) return SQLITE_OK;
    std::lock_guard lock(open->layer->mutex_);
    ForgetfulVfs::File& state = file_of(open);
    for (const auto& change : state.pending) ForgetfulVfs::apply(change, state.durable);
    state.pending.clear();
    state.was_synced = true;
    ++open->layer->syncs_;
    return SQLITE_OK;
  }
  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
  }
  static int lock(sqlite3_file* file, int level) {
    return real_of(file)->pMethods->xLock(real_of(file), level);
  }
  static int unlock(sqlite3_file* file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
  }
  static int check_lock(sqlite3_file* file, int* reserved) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
  }
  static int control(sqlite3_file* file, int operation, void* argument) {
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
  }
  static int sector_size(sqlite3_file* file) {
    return real_of(file)->pMethods->xSectorSize(real_of(file));
  }
  static int characteristics(sqlite3_file* file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
  }
  static int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
  }
  static int shm_lock(sqlite3_file* file, int offset, int n, int flags) {
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
  }
  static void shm_barrier(sqlite3_file* file) {
    real_of(file)->pMethods->xShmBarrier(real_of(file));
  }
  static int shm_unmap(sqlite3_file* file, int remove) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
  }

  static const sqlite3_io_methods kMethods;

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
    auto* open = reinterpret_cast<OpenFile*>(file);
    std::memset(open, 0, sizeof *open);
    open->layer = static_cast<ForgetfulVfs*>(vfs->pAppData);
    int code = system_vfs()->xOpen(system_vfs(), path, real_of(file), flags, out);
    if (real_of(file)->pMethods == nullptr) return code;
    open->base.pMethods = &kMethods;
    const int durable = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
    if (path != nullptr && (flags & durable) != 0) {
      open->path = path;  // SQLite keeps it as long as the file is open
      std::lock_guard lock(open->layer->mutex_);
      if (open->layer->files_.find(path) == open->layer->files_.end()) {
        // What is there when the layer first sees it has been there for long.
        std::ifstream in(path, std::ios::binary);
        ForgetfulVfs::File& state = open->layer->files_[path];
        state.durable.assign(std::istreambuf_iterator<char>(in), {});
        state.was_synced = !state.durable.empty();
      }
    }
    return code;
  }
  static int remove(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    auto* layer = static_cast<ForgetfulVfs*>(vfs->pAppData);
    std::lock_guard lock(layer->mutex_);
    layer->files_.erase(path);
    return system_vfs()->xDelete(system_vfs(), path, sync_folder);
  }
};

const sqlite3_io_methods ForgetfulCalls::kMethods = {
    2,  // no memory maps of the file
    close,   read,     write,       truncate,  sync,        file_size,
    lock,    unlock,   check_lock,  control,   sector_size, characteristics,
    shm_map, shm_lock, shm_barrier, shm_unmap, nullptr,     nullptr};

ForgetfulVfs::ForgetfulVfs(const std::string& name)
    : registration_(std::make_unique<Registration>()) {
  registration_->name = name;
  sqlite3_vfs& vfs = registration_->vfs;
  vfs = *system_vfs();
  vfs.pNext = nullptr;
  vfs.zName = registration_->name.c_str();
  vfs.szOsFile = static_cast<int>(sizeof(OpenFile)) + system_vfs()->szOsFile;
  vfs.pAppData = this;
  vfs.xOpen = ForgetfulCalls::open;
  vfs.xDelete = ForgetfulCalls::remove;
  HONE_CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

ForgetfulVfs::~ForgetfulVfs() { sqlite3_vfs_unregister(&registration_->vfs); }

void ForgetfulVfs::lose_power(const std::string& folder, const std::string& target, Rng& rng) {
  constexpr size_t kSector = 512;
  std::lock_guard lock(mutex_);
  for (const auto& [path, file] : files_) {
    if (path.rfind(folder + "/", 0) != 0) continue;
    std::string image = file.durable;
    bool is_there = file.was_synced;
    // Of one power cut, this share of what was not synced had reached the disk all the same.
    const double reached = rng.uniform();
    for (const Change& change : file.pending) {
      if (rng.uniform() >= reached) continue;
      is_there = true;
      Change part = change;
      if (!change.is_truncation && rng.below(4) == 0) {
        const size_t sectors = change.bytes.size() / kSector;
        part.bytes.resize(rng.below(sectors + 1) * kSector);
      }
      apply(part, image);
    }
    if (!is_there) continue;
    std::ofstream out(target + path.substr(folder.size()), std::ios::binary);
    out.write(image.data(), static_cast<std::streamsize>(image.size()));
  }
}

uint64_t ForgetfulVfs::syncs() const {
  std::lock_guard lock(mutex_);
  return syncs_;
}

uint64_t ForgetfulVfs::unsynced_writes() const {
  std::lock_guard lock(mutex_);
  uint64_t count = 0;
  for (const auto& entry : files_) count += entry.second.pending.size();
  return count;
}

}  // namespace hone::store
