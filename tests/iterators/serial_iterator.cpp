#include "dnn/iterators/serial_iterator.hpp"

#include <cmath>

#include "catch.hpp"
#include "memory_archive.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using iterators::SerialIterator;

namespace {

using Indices = std::vector<std::int64_t>;

Indices draw(Iterator& iterator) {
  const auto minibatch = iterator.next();
  return minibatch ? minibatch->indices() : Indices{};
}

/// What Chainer's iterator showed after a call of next().
struct Step {
  Indices batch;
  std::int64_t epoch;
  bool is_new_epoch;
  double detail, previous;
  std::int64_t position;
};
void follows(SerialIterator& iterator, const std::vector<Step>& steps) {
  for (const auto& step : steps) {
    CHECK(draw(iterator) == step.batch);
    CHECK(iterator.epoch() == step.epoch);
    CHECK(iterator.is_new_epoch() == step.is_new_epoch);
    CHECK(iterator.epoch_detail() == Approx(step.detail));
    REQUIRE(iterator.previous_epoch_detail().has_value());
    CHECK(*iterator.previous_epoch_detail() == Approx(step.previous));
    CHECK(iterator.current_position() == step.position);
  }
}

Indices reversed_and_rotated(std::span<const std::int64_t> order, std::int64_t, std::int64_t) {
  Indices out(order.rbegin(), order.rend());
  std::rotate(out.begin(), out.end() - 1, out.end());
  return out;
}

void transfer(Iterator& from, Iterator& to) {
  MemoryArchive archive;
  MemoryWriter writer(archive);
  from.serialize(writer);
  MemoryReader reader(archive);
  to.serialize(reader);
}

}  // namespace

TEST_CASE("before the first minibatch", "[serial_iterator]") {
  const SerialIterator iterator(arange(9), 3);
  CHECK(iterator.epoch() == 0);
  CHECK_FALSE(iterator.is_new_epoch());
  CHECK(iterator.epoch_detail() == 0);
  CHECK_FALSE(iterator.previous_epoch_detail().has_value());
  CHECK(iterator.current_position() == 0);
  CHECK(iterator.repeats());
  CHECK(iterator.batch_size() == 3);
}

// The values of these four are what Chainer 7.8.1 gave.
TEST_CASE("in order, batches that divide the data set", "[serial_iterator]") {
  SerialIterator iterator(arange(9), 3, {.shuffle = false});
  follows(iterator, {{{0, 1, 2}, 0, false, 1 / 3., 0, 3},
                     {{3, 4, 5}, 0, false, 2 / 3., 1 / 3., 6},
                     {{6, 7, 8}, 1, true, 1, 2 / 3., 0},
                     {{0, 1, 2}, 1, false, 4 / 3., 1, 3},
                     {{3, 4, 5}, 1, false, 5 / 3., 4 / 3., 6},
                     {{6, 7, 8}, 2, true, 2, 5 / 3., 0},
                     {{0, 1, 2}, 2, false, 7 / 3., 2, 3}});
}

TEST_CASE("once, and then the end again and again", "[serial_iterator]") {
  SerialIterator iterator(arange(8), 4, {.repeat = false, .shuffle = false});
  follows(iterator, {{{0, 1, 2, 3}, 0, false, 0.5, 0, 4},
                     {{4, 5, 6, 7}, 1, true, 1, 0.5, 0},
                     {{}, 1, true, 1, 1, 0},
                     {{}, 1, true, 1, 1, 0}});
}

TEST_CASE("reset starts over; the last batch is what is left", "[serial_iterator]") {
  SerialIterator iterator(arange(10), 4, {.repeat = false, .shuffle = false});
  follows(iterator, {{{0, 1, 2, 3}, 0, false, 0.4, 0, 4}, {{4, 5, 6, 7}, 0, false, 0.8, 0.4, 8}});
  iterator.reset();
  CHECK_FALSE(iterator.previous_epoch_detail().has_value());
  follows(iterator, {{{0, 1, 2, 3}, 0, false, 0.4, 0, 4},
                     {{4, 5, 6, 7}, 0, false, 0.8, 0.4, 8},
                     {{8, 9}, 1, true, 1, 0.8, 0},
                     {{}, 1, true, 1, 1, 0}});
}

TEST_CASE("an order sampler, and a new iterator that takes over after four batches", "[serial_iterator]") {
  SerialIterator first(arange(7), 3, {.order_sampler = reversed_and_rotated});
  follows(first, {{{0, 6, 5}, 0, false, 3 / 7., 0, 3},
                  {{4, 3, 2}, 0, false, 6 / 7., 3 / 7., 6},
                  {{1, 0, 1}, 1, true, 9 / 7., 6 / 7., 2},
                  {{2, 3, 4}, 1, false, 12 / 7., 9 / 7., 5}});
  SerialIterator second(arange(7), 3, {.order_sampler = reversed_and_rotated});
  transfer(first, second);
  CHECK(*second.previous_epoch_detail() == Approx(9 / 7.));
  follows(second, {{{5, 6, 0}, 2, true, 15 / 7., 12 / 7., 1},
                   {{6, 5, 4}, 2, false, 18 / 7., 15 / 7., 4},
                   {{3, 2, 1}, 3, true, 3, 18 / 7., 0},
                   {{0, 1, 2}, 3, false, 24 / 7., 3, 3}});
}

TEST_CASE("a batch may take in several epochs", "[serial_iterator]") {
  SerialIterator iterator(arange(3), 7, {.shuffle = false});
  follows(iterator,
          {{{0, 1, 2, 0, 1, 2, 0}, 2, true, 7 / 3., 0, 1}, {{1, 2, 0, 1, 2, 0, 1}, 4, true, 14 / 3., 7 / 3., 2}});
  SerialIterator once(arange(3), 7, {.repeat = false, .shuffle = false});
  follows(once, {{{0, 1, 2}, 1, true, 1, 0, 0}, {{}, 1, true, 1, 1, 0}});
}

TEST_CASE("shuffling visits every example once an epoch, each time in another order", "[serial_iterator]") {
  SerialIterator iterator(arange(10), 4);
  Indices drawn;
  for (int i = 0; i < 5; ++i) {
    for (const auto index : draw(iterator)) drawn.push_back(index);
  }
  Indices first(drawn.begin(), drawn.begin() + 10), second(drawn.begin() + 10, drawn.end());
  CHECK(first != second);
  for (auto* epoch : {&first, &second}) {
    std::sort(epoch->begin(), epoch->end());
    CHECK(*epoch == Indices{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  }
}

TEST_CASE("a resumed run draws what the uninterrupted one draws", "[serial_iterator]") {
  for (int stop = 0; stop < 12; ++stop) {
    seed(5);
    SerialIterator whole(arange(10), 3);
    for (int i = 0; i < stop; ++i) draw(whole);
    seed(5);
    SerialIterator resumed(arange(10), 3);
    transfer(whole, resumed);
    CHECK(resumed.epoch() == whole.epoch());
    CHECK(resumed.is_new_epoch() == whole.is_new_epoch());
    CHECK(resumed.previous_epoch_detail() == whole.previous_epoch_detail());
    for (int i = 0; i < 15; ++i) CHECK(draw(resumed) == draw(whole));
  }
}

TEST_CASE("the keys are Chainer's", "[serial_iterator]") {
  const auto keys = [](Iterator& iterator) {
    MemoryArchive archive;
    MemoryWriter writer(archive);
    iterator.serialize(writer);
    std::string text;
    for (const auto& [key, value] : archive) text += key + " ";
    return text;
  };
  SerialIterator shuffled(arange(10), 3), plain(arange(10), 3, {.shuffle = false});
  CHECK(keys(shuffled) == "current_position epoch is_new_epoch order previous_epoch_detail ");
  CHECK(keys(plain) == "current_position epoch is_new_epoch previous_epoch_detail ");

  MemoryArchive archive;
  MemoryWriter writer(archive);
  shuffled.serialize(writer);
  CHECK(std::get<double>(archive["previous_epoch_detail"]) == -1);
  CHECK(std::get<Array>(archive["order"]).dtype() == int64);

  // What a MultithreadIterator wrote, and int32 as some platforms have it.
  archive["_order"] = array({9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  archive.erase("order");
  archive["current_position"] = std::int64_t{7};
  MemoryReader reader(archive);
  shuffled.serialize(reader);
  CHECK(reader.path().empty());
  CHECK(Indices{draw(shuffled)} == Indices{2, 1, 0});
}

TEST_CASE("states that cannot be are refused and change nothing", "[serial_iterator]") {
  SerialIterator iterator(arange(10), 3);
  MemoryArchive good;
  MemoryWriter writer(good);
  iterator.serialize(writer);
  const auto refused = [&](const std::string& key, const auto& value) {
    auto archive = good;
    archive[key] = value;
    MemoryReader reader(archive);
    CHECK_THROWS_AS(iterator.serialize(reader), SerializationError);
    CHECK(iterator.current_position() == 0);
  };
  refused("current_position", std::int64_t{11});
  refused("current_position", std::int64_t{-1});
  refused("epoch", std::int64_t{-1});
  refused("order", arange(9));
  refused("order", arange(1, 11));
  refused("order", Array());
  good.erase("order");
  MemoryReader reader(good);
  CHECK_THROWS_AS(iterator.serialize(reader), SerializationError);
}

TEST_CASE("mistakes in SerialIterator are named", "[serial_iterator]") {
  CHECK_THROWS_WITH(SerialIterator(arange(3), 0),
                    ContainsSubstring("[SerialIterator] batch_size >= 1 does not hold: 0 < 1"));
  CHECK_THROWS_AS(SerialIterator(arange(0), 1), ArgumentError);
  CHECK_THROWS_WITH(SerialIterator(arange(3), 1, {.shuffle = false, .order_sampler = reversed_and_rotated}),
                    ContainsSubstring("shuffle or an order_sampler, not both"));
  SerialIterator empty(arange(0), 2, {.repeat = false});
  CHECK_FALSE(empty.next().has_value());
  CHECK(empty.epoch_detail() == 0);

  int calls = 0;
  SerialIterator fickle(arange(4), 2, {.order_sampler = [&](auto order, auto, auto) {
                          return Indices(order.begin(), order.end() - (calls++ == 1));
                        }});
  draw(fickle);
  CHECK_THROWS_WITH(fickle.next(), ContainsSubstring("returned 3 indices for 4"));
  CHECK(fickle.epoch() == 0);
  CHECK(draw(fickle) == Indices{2, 3});
}

TEST_CASE("a batch may be larger than the memory when there is one pass", "[serial_iterator]") {
  SerialIterator iterator(arange(3), std::int64_t{1} << 62, {.repeat = false, .shuffle = false});
  CHECK_FALSE(iterator.repeats());
  CHECK(draw(iterator) == Indices{0, 1, 2});
  CHECK(draw(iterator).empty());
}

TEST_CASE("errors of an iterator without a path begin with its name", "[serial_iterator]") {
  SerialIterator iterator(arange(3), 2, {.shuffle = false});
  MemoryArchive archive;
  MemoryWriter writer(archive);
  SerialIterator longer(arange(9), 8, {.shuffle = false});
  longer.next();
  longer.serialize(writer);
  MemoryReader reader(archive);
  CHECK_THROWS_WITH(iterator.serialize(reader), ContainsSubstring("[iterator] position 8 of epoch 0"));
}
