"""Typical wrong answers to every exercise; each must get a hint."""

import hashlib
from functools import partial

import numpy as np

# Lesson 00


def forgets_what_was_seen(scores, seen, k):
    return np.argsort(-scores)[:k]


def worst_first(scores, seen, k):
    hidden = scores.copy()
    hidden[seen] = np.inf
    return np.argsort(hidden)[:k]


def right_items_in_no_order(scores, seen, k):
    hidden = scores.copy()
    hidden[seen] = -np.inf
    return np.sort(np.argsort(-hidden)[:k])


# Lesson 01


def last_in_the_table(user, timestamp):
    mask = np.zeros(len(user), bool)
    mask[[np.flatnonzero(user == one)[-1] for one in np.unique(user)]] = True
    return mask


def latest_of_all(user, timestamp):
    return timestamp == timestamp.max()


def positions_not_a_mask(user, timestamp):
    return np.array([1, 2, 4])


def first_of_each_user(user, timestamp):
    mask = np.zeros(len(user), bool)
    for one in np.unique(user):
        rows = np.flatnonzero(user == one)
        mask[rows[timestamp[rows].argmin()]] = True
    return mask


# Lesson 02


def softmax_that_overflows(scores):
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def softmax_over_everything(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def softmax_with_base_two(scores):
    powers = 2 ** (scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def probabilities(user, items, bias):
    scores = items @ user + bias
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def gradient_uphill(user, items, bias, chosen):
    return items[chosen] - items.T @ probabilities(user, items, bias)


def gradient_without_the_chosen(user, items, bias, chosen):
    return items.T @ probabilities(user, items, bias)


def gradient_of_the_chosen_only(user, items, bias, chosen):
    return -items[chosen]


def gradient_without_the_bias(user, items, bias, chosen):
    return items.T @ probabilities(user, items, 0 * bias) - items[chosen]


def gradient_for_the_items(user, items, bias, chosen):
    return np.outer(probabilities(user, items, bias), user)


def ridge_with_a_diagonal(X, l2):
    return np.linalg.solve(X.T @ X + l2 * np.eye(X.shape[1]), X.T @ X)


def ease_with_the_sign_turned(X, l2):
    P = np.linalg.inv(X.T @ X + l2 * np.eye(X.shape[1]))
    B = P / np.diag(P)
    np.fill_diagonal(B, 0)
    return B


def ease_divided_by_rows(X, l2):
    P = np.linalg.inv(X.T @ X + l2 * np.eye(X.shape[1]))
    B = -P / np.diag(P)[:, None]
    np.fill_diagonal(B, 0)
    return B


def ease_without_the_ridge(X, l2):
    P = np.linalg.inv(X.T @ X)
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    return B


# Lesson 03


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def derivative_at_the_probability(logit, label):
    p = sigmoid(logit)
    return (p - label) / (p * (1 - p))


def stops_at_the_first_fall(scores, patience):
    for epoch in range(1, len(scores)):
        if scores[epoch] <= scores[epoch - 1]:
            return epoch + 1, epoch
    return len(scores), len(scores)


def keeps_the_last_epoch(scores, patience):
    last, _ = epochs_counted(scores, patience)
    return last, last


def epochs_counted(scores, patience, equal_is_better=False, first=1):
    best, kept = -np.inf, 0
    for epoch, score in enumerate(scores):
        if score > best or (equal_is_better and score == best):
            best, kept = score, epoch
        if epoch - kept == patience:
            return epoch + first, kept + first
    return len(scores) - 1 + first, kept + first


def looks_at_all_epochs(scores, patience):
    return len(scores), int(np.argmax(scores)) + 1


def neumf_of(join=lambda product, hidden: [product, hidden], relu=True, bias=True, product=None):
    """NeuMF with one thing changed."""

    def logit(gmf_user, gmf_item, mlp_user, mlp_item, W, b, h):
        z = np.concatenate([mlp_user, mlp_item]) @ W + bias * b
        hidden = np.maximum(z, 0) if relu else z
        multiplied = (product or np.multiply)(gmf_user, gmf_item)
        return np.concatenate(join(multiplied, hidden)) @ h

    return logit


# Lesson 05


def attention(scores, V):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True) @ V


def attention_that_sees_the_future(Q, K, V):
    return attention(Q @ K.T / np.sqrt(Q.shape[1]), V)


def attention_to_the_future_only(Q, K, V):
    scores = Q @ K.T / np.sqrt(Q.shape[1])
    scores[np.tril_indices(len(Q), k=-1)] = -np.inf
    return attention(scores, V)


def attention_masked_too_late(Q, K, V):
    scores = Q @ K.T / np.sqrt(Q.shape[1])
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.tril(powers / powers.sum(axis=1, keepdims=True)) @ V


def attention_without_its_own_place(Q, K, V):
    scores = Q @ K.T / np.sqrt(Q.shape[1])
    scores[np.triu_indices(len(Q), k=0)] = -1e9
    return attention(scores, V)


def attention_without_the_root(Q, K, V):
    scores = Q @ K.T
    scores[np.triu_indices(len(Q), k=1)] = -np.inf
    return attention(scores, V)


# Lesson 04


def second_order_a_dimension(v):
    return 0.5 * (v.sum(axis=1) ** 2 - (v**2).sum(axis=1))


def second_order_in_both_orders(v):
    return 2 * second_order_a_dimension(v).sum(axis=1)


def second_order_with_each_itself(v):
    return 0.5 * (v.sum(axis=1) ** 2).sum(axis=1)


def second_order_of_all_rows(v):
    return second_order_a_dimension(v).sum()


def square_of_all_sums(v):
    return 0.5 * (v.sum(axis=(1, 2)) ** 2 - (v**2).sum(axis=(1, 2)))


# Lesson 06


def rows_drawn_again_and_again(n, batch_size, rng):
    return [rng.integers(0, n, size) for size in (4, 4, 2)]


def without_the_last_batch(n, batch_size, rng):
    rows = rng.permutation(n)
    return [rows[at : at + batch_size] for at in range(0, n - batch_size + 1, batch_size)]


def in_the_order_of_the_table(n, batch_size, rng):
    return np.split(np.arange(n), range(batch_size, n, batch_size))


def batches_shuffled_not_rows(n, batch_size, rng):
    parts = in_the_order_of_the_table(n, batch_size, rng)
    return [*(parts[i] for i in rng.permutation(len(parts) - 1)), parts[-1]]


def the_same_order_always(n, batch_size, rng):
    rows = np.random.default_rng(0).permutation(n)
    return np.split(rows, range(batch_size, n, batch_size))


def adam_of(merge=True, shrink=False, corrected=True, square_first=False):
    def adam(table, mean, square, rows, gradient, step, rate):
        row, place = np.unique(rows, return_inverse=True)
        g, g2 = np.zeros((len(row), 1)), np.zeros((len(row), 1))
        if merge:
            np.add.at(g, place, gradient)
            np.add.at(g2, place, gradient**2)
        else:
            g[place], g2[place] = gradient, gradient**2
        if shrink:
            mean, square = 0.9 * mean, 0.999 * square
        else:
            mean[row], square[row] = 0.9 * mean[row], 0.999 * square[row]
        mean[row] += 0.1 * g
        square[row] += 0.001 * (g2 if square_first else g**2)
        m = mean / (1 - 0.9**step) if corrected else mean
        v = square / (1 - 0.999**step) if corrected else square
        moved = np.arange(len(table)) if shrink else row
        table[moved] -= rate * m[moved] / (np.sqrt(v[moved]) + 1e-7)
        return table, mean, square

    return adam


def sampled_by(weight, target=1.0, sign=1.0):
    def loss(score, drawn_scores, chance):
        others = (np.exp(drawn_scores) * weight(len(chance), chance)).sum()
        return sign * (np.log(target * np.exp(score) + others) - score)

    return loss


def ring_of(halves=2, share=1.0, sent=None, at=None):
    """An all-reduce by hand that stops early, divides, or counts in another way."""

    def ring(vectors):
        n = len(vectors)
        total = np.sum(vectors, 0)
        results = [share * total for _ in vectors]
        if halves == 1:
            results = [
                np.where(np.arange(len(total)) == r, total, v) for r, v in enumerate(vectors)
            ]
        if at is not None:
            results = [total if r == at else v for r, v in enumerate(vectors)]
        chunks = 2 * (n - 1) * len(total) // n
        return results, [chunks if sent is None else sent * len(total)] * n

    return ring


def rows_by(cut):
    """Rows of a worker, from a function that gives the rows before they are cut into batches."""

    def rows_of_worker(order, batch_size, rank, size):
        rows = cut(order, rank, size)
        return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]

    return rows_of_worker


def empty_parts_in_the_end(order, batch_size, rank, size):
    parts = np.split(order, range(batch_size * size, len(order), batch_size * size))
    return [np.array_split(part, size)[rank] for part in parts]


def full_batches_only(order, batch_size, rank, size):
    steps = len(order) // (batch_size * size)
    return [part[rank::size] for part in np.split(order[: steps * batch_size * size], steps)]


def lookup_by_worker(ids, shards):
    n = len(shards)
    return np.concatenate([shards[w][ids[ids % n == w] // n] for w in range(n)])


def lookup_by_block(ids, shards):
    return np.concatenate(shards)[ids]


def all_rows_of_item(item, timestamp):
    return np.bincount(item)[item]


def earlier_in_time(item, timestamp):
    order, count = np.argsort(timestamp, kind="stable"), {}
    found = np.empty(len(item), int)
    for row in order:
        found[row] = count.get(item[row], 0)
        count[item[row]] = found[row] + 1
    return found


def tables_one_by_one(rows, workers):
    return [table % workers for table in range(len(rows))]


def tables_in_the_given_order(rows, workers):
    held, owner = [0] * workers, []
    for n in rows:
        owner.append(int(np.argmin(held)))
        held[owner[-1]] += n
    return owner


def newest_by(key=int, check=True):
    def newest(checkpoints):
        for step in sorted(checkpoints, key=key, reverse=True):
            content, known = checkpoints[step]
            if not check or hashlib.sha256(content).hexdigest() == known:
                return step
        return None

    return newest


# Lesson 11


def share_of_the_largest(weights, sparsity):
    return np.abs(weights) > sparsity * np.abs(weights).max()


def largest_without_the_sign(weights, sparsity):
    return weights >= np.sort(weights.ravel())[round(sparsity * weights.size)]


def keeps_what_should_go(weights, sparsity):
    return np.abs(weights) >= np.sort(np.abs(weights).ravel())[round((1 - sparsity) * weights.size)]


def smallest_stay(weights, sparsity):
    return np.abs(weights) < np.sort(np.abs(weights).ravel())[round(sparsity * weights.size)]


def each_row_by_itself(weights, sparsity):
    rank = np.argsort(np.argsort(np.abs(weights), axis=1), axis=1)
    return rank >= round(sparsity * weights.shape[1])


def schedule_of(rest, before=0.0):
    def sparsity_at(step, begin, end, final):
        if step < begin:
            return before
        return final * rest(min(1.0, (step - begin) / (end - begin)))

    return sparsity_at


def best_half(kernel):
    return np.abs(kernel) > np.median(np.abs(kernel))


def two_of_four_outputs(kernel):
    rank = np.argsort(np.argsort(-kernel.reshape(2, 4, 2), axis=1), axis=1)
    return (rank < 2).reshape(kernel.shape)


def two_smallest_of_four(kernel):
    rank = np.argsort(np.argsort(np.abs(kernel).reshape(2, 4, 2), axis=1), axis=1)
    return (rank < 2).reshape(kernel.shape)


# Lesson 12


def affine_of(low=lambda x: min(x.min(), 0), steps=255, move=np.rint, most=255, sign=-1):
    """The right codes, but for one thing."""

    def affine(values):
        start = low(values)
        scale = (max(values.max(), 0) - start) / steps
        zero_point = int(move(sign * start / scale))
        codes = np.rint(values / scale) + zero_point
        return np.clip(codes, 0, most), scale, zero_point

    return affine


def codes_cut_off(values):
    _, scale, zero_point = affine_of()(values)
    return np.clip(np.floor(values / scale) + zero_point, 0, 255), scale, zero_point


def real_numbers_not_codes(values):
    codes, scale, zero_point = affine_of()(values)
    return (codes - zero_point) * scale, scale, zero_point


def packed_by(place=lambda codes: np.split(codes, 2, axis=1), move=8, shift=4):
    """Two codes a byte, but for one thing."""

    def pack(codes):
        first, second = place(codes.astype(np.int16) + move)
        return ((first & 0xF) | ((second & 0xF) << shift)).astype(np.uint8)

    return pack


# Lesson 13


def soft_targets_of(scale=lambda scores, temperature: scores / temperature):
    def attempt(scores, taken, temperature):
        scores = np.where(taken, -np.inf, scale(scores, temperature))
        powers = np.exp(scores - scores.max())
        return powers / powers.sum()

    return attempt


def soft_targets_that_overflow(scores, taken, temperature):
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.where(taken, 0, np.exp(scores / temperature))
        return powers / powers.sum()


def taken_gets_a_share(scores, taken, temperature):
    return soft_targets_of()(scores, np.zeros_like(taken), temperature)


def shares_before_the_mask(scores, taken, temperature):
    return np.where(taken, 0, taken_gets_a_share(scores, taken, temperature))


def clustered_bytes_of(book=4, unit=8, bits=lambda k: np.ceil(np.log2(k))):
    return lambda n, k: n * bits(k) / unit + book * k


# Lesson 14

HALF_STEP = 2.0**-24


def bound_of(roundings=lambda d: d, step=HALF_STEP, terms=lambda x, w: np.abs(x * w).sum()):
    return lambda x, w: roundings(len(x)) * step * terms(x.astype(float), w.astype(float))


def first_of(scores, k):
    return np.argsort(-scores, kind="stable")[:k]


def scores_of_both_lists(expected, found, k, tolerance):
    one, other = first_of(expected, k), first_of(found, k)
    return bool((np.abs(expected[one] - found[other]) <= tolerance).all())


def ties_of_the_new_scores(expected, found, k, tolerance):
    one, other = first_of(expected, k), first_of(found, k)
    return bool((np.abs(found[one] - found[other]) <= tolerance).all())


def ties_in_either(expected, found, k, tolerance):
    one, other = first_of(expected, k), first_of(found, k)
    gaps = [np.abs(scores[one] - scores[other]) for scores in (expected, found)]
    return bool((np.minimum(*gaps) <= tolerance).all())


def same_lists_of_all(expected, found, tolerance):
    one, other = first_of(expected, None), first_of(found, None)
    return bool((np.abs(expected[one] - expected[other]) <= tolerance).all())


def folded_by(
    factor=lambda gamma, variance, epsilon: gamma / np.sqrt(variance + epsilon),
    new_bias=lambda bias, mean, beta, factor: (bias - mean) * factor + beta,
    axis=slice(None),
):
    def fold(kernel, bias, gamma, beta, mean, variance, epsilon):
        by = factor(gamma, variance, epsilon)
        return kernel * by[axis], new_bias(bias, mean, beta, by)

    return fold


# Lesson 15


def lists_by(
    lists=lambda query, centroids: centroids @ query,
    score=lambda query, vectors: vectors @ query,
    end=lambda best: best,
):
    """A few lists looked into, but for one thing."""

    def search(query, vectors, list_of, centroids, probes, k):
        chosen = np.argsort(-lists(query, centroids))[:probes]
        inside = np.flatnonzero(np.isin(list_of, chosen))
        return end(inside[np.argsort(-score(query, vectors[inside]))[:k]])

    return search


def all_vectors_looked_at(query, vectors, list_of, centroids, probes, k):
    return np.argsort(-(vectors @ query))[:k]


def numbers_within_the_lists(query, vectors, list_of, centroids, probes, k):
    chosen = np.argsort(-(centroids @ query))[:probes]
    return np.argsort(-(vectors[np.isin(list_of, chosen)] @ query))[:k]


def renewed_by(draw=lambda uniform: -np.log(uniform), took=True, beta=True):
    def renew(now, expiry, seconds, factor, uniform):
        early = (seconds if took else 1.0) * (factor if beta else 1.0) * draw(uniform)
        return now + early >= expiry

    return renew


def ends_of(arrivals, service):
    ends, end = [], 0.0
    for came, takes in zip(arrivals, service, strict=True):
        end = max(came, end) + takes
        ends.append(end)
    return np.array(ends)


def begun_when_the_one_before_came(arrivals, service):
    before = np.concatenate([[0.0], arrivals[:-1]])
    return np.maximum(arrivals, before) + np.cumsum(service)


# Lesson 16


def ips_of(weigh=np.divide, rows=None):
    """Clicks of a film, weighed by ``weigh``, over what ``rows`` says; its showings by default."""

    def attraction_by_ips(film, clicked, examined, n_films):
        shown = np.bincount(film, minlength=n_films)
        over = shown if rows is None else rows(film, clicked, examined, n_films)
        return np.bincount(film, weigh(clicked, examined), n_films) / np.maximum(over, 1e-9)

    return attraction_by_ips


def bound_by(middle=None, spread=np.sqrt, sign=1, factor=lambda alpha: alpha, turn=np.linalg.inv):
    """An upper bound in which one thing can be another."""

    def upper_bounds(x, A, b, alpha):
        inverse = np.linalg.inv(A)
        mean = np.einsum("d,kde,ke->k", x, inverse, b) if middle is None else middle(x, b)
        return mean + sign * factor(alpha) * spread(np.einsum("d,kde,e->k", x, turn(A), x))

    return upper_bounds


def divides_by_the_diagonal(x, A, b, alpha):
    inverse = np.stack([np.diag(1 / np.diag(one)) for one in A])
    mean = np.einsum("d,kde,ke->k", x, inverse, b)
    return mean + alpha * np.sqrt(np.einsum("d,kde,e->k", x, inverse, x))


# Lesson 24


def cheapest_if(good, order=lambda quality, cost: np.lexsort((-quality, cost))):
    """The first in an order that is good enough by a rule."""

    def cheapest_good_enough(quality, cost, share):
        places = order(quality, cost)
        return int(places[np.argmax(good(quality, share)[places])])

    return cheapest_good_enough


def luck_of(winner=None, elsewhere=None):
    """Optimism in which the choice or the comparison can be another."""

    def optimism(values, half):
        chosen = np.argmax(values[half].mean(axis=0) if winner is None else winner(values))
        other = values[~half, chosen].mean() if elsewhere is None else elsewhere(values, half)
        return values[half, chosen].mean() - other

    return optimism


WRONG_ANSWERS = {
    "lesson_10.saving_interval": [
        lambda save, between, workers: np.sqrt(save * between / workers),
        lambda save, between, workers: np.sqrt(2 * save * between),
        lambda save, between, workers: np.sqrt(2 * save * between * workers),
        lambda save, between, workers: np.sqrt(2 * save * between) / workers,
        lambda save, between, workers: 2 * save * between / workers,
    ],
    "lesson_10.newest_whole": [
        newest_by(key=str),
        newest_by(check=False),
        lambda checkpoints: newest_by()(checkpoints) if len(checkpoints) == 3 else 10,
        lambda checkpoints: newest_by()(checkpoints) or min(checkpoints),
    ],
    "lesson_08.sharded_lookup": [
        lookup_by_worker,
        lookup_by_block,
        lambda ids, shards: shards[0][ids // 2],
        lambda ids, shards: np.stack([shards[i % 2][i // 2] for i in np.unique(ids)]),
    ],
    "lesson_08.place_tables": [
        tables_one_by_one,
        tables_in_the_given_order,
        lambda rows, workers: [0] * len(rows),
        lambda rows, workers: np.argsort(rows),
    ],
    "lesson_08.ring_seconds": [
        lambda n, workers, a, b: (workers - 1) * (a + n / workers * b),
        lambda n, workers, a, b: 2 * (workers - 1) * (a + n * b),
        lambda n, workers, a, b: 2 * (workers - 1) * a + n * b,
        lambda n, workers, a, b: 2 * (workers - 1) * a,
    ],
    "lesson_09.earlier_rows": [
        all_rows_of_item,
        lambda item, timestamp: earlier_in_time(item, timestamp) + 1,
        lambda item, timestamp: earlier_in_time(item, np.arange(len(item))),
        lambda item, timestamp: [
            np.sum((item == i) & (timestamp < t)) for i, t in zip(item, timestamp, strict=True)
        ],
        lambda item, timestamp: earlier_in_time(item, timestamp)[np.argsort(timestamp)],
    ],
    "lesson_09.nth_unseen": [
        lambda seen, number: number,
        lambda seen, number: number + len(seen),
        lambda seen, number: number + np.count_nonzero(seen <= number),
        lambda seen, number: np.setdiff1d(np.arange(6), seen)[number % 3],
        lambda seen, number: [0, 3, 4, 6, 7][number],
    ],
    "lesson_09.rows_of_rank": [
        lambda rows, rank, size: (rows // size * rank, rows // size * (rank + 1)),
        lambda rows, rank, size: (
            rows // size * rank,
            rows if rank == size - 1 else rows // size * (rank + 1),
        ),
        lambda rows, rank, size: (-(-rows // size) * rank, min(-(-rows // size) * (rank + 1), 9)),
        lambda rows, rank, size: range(rank, rows, size),
        lambda rows, rank, size: ([0, 3, 7][rank], [3, 7, 11][rank]),
    ],
    "lesson_07.ring_allreduce": [
        ring_of(halves=1),
        ring_of(share=1 / 3),
        ring_of(sent=2),
        ring_of(at=0),
        ring_of(sent=0),
        lambda vectors: np.sum(vectors, 0),
    ],
    "lesson_07.rows_of_worker": [
        rows_by(lambda order, rank, size: order),
        rows_by(lambda order, rank, size: order[rank::size]),
        rows_by(lambda order, rank, size: np.array_split(order, size)[rank]),
        full_batches_only,
        empty_parts_in_the_end,
        lambda order, batch_size, rank, size: order[rank::size],
    ],
    "lesson_07.bytes_sent": [
        lambda rows, dimensions, named, workers: (rows * dimensions, named * dimensions),
        lambda rows, dimensions, named, workers: (
            2 * rows * dimensions * 4,
            named * (dimensions * 4 + 4),
        ),
        lambda rows, dimensions, named, workers: (
            2 * (workers - 1) / workers * rows * dimensions * 4,
            (workers - 1) * named * dimensions * 4,
        ),
        lambda rows, dimensions, named, workers: (
            2 * (workers - 1) / workers * rows * dimensions * 4,
            named * (dimensions * 4 + 4),
        ),
    ],
    "lesson_00.recommend": [forgets_what_was_seen, worst_first, right_items_in_no_order],
    "lesson_00.int8_table_bytes": [
        lambda rows, columns: rows * columns,
        lambda rows, columns: 4 * rows * columns,
        lambda rows, columns: rows * columns + 4,
    ],
    "lesson_01.last_of_each_user": [
        last_in_the_table,
        latest_of_all,
        positions_not_a_mask,
        first_of_each_user,
    ],
    "lesson_01.ndcg_of_rank": [
        lambda rank, k: np.where(rank <= k, 1 / rank, 0.0),
        lambda rank, k: np.where(rank <= k, 1 / np.log(rank + 1), 0.0),
        lambda rank, k: 1 / np.log2(rank + 1),
        lambda rank, k: (rank <= k).astype(float),
    ],
    "lesson_01.tied_hit_rate": [
        lambda better, tied, k: (better < k).astype(float),
        lambda better, tied, k: (better + tied < k).astype(float),
        lambda better, tied, k: (k - better) / (tied + 1),
        lambda better, tied, k: np.clip((k - better) / np.maximum(tied, 1), 0, 1),
        lambda better, tied, k: (better + tied / 2 < k).astype(float),
    ],
    "lesson_02.softmax": [softmax_that_overflows, softmax_over_everything, softmax_with_base_two],
    "lesson_02.user_gradient": [
        gradient_uphill,
        gradient_without_the_chosen,
        gradient_of_the_chosen_only,
        gradient_without_the_bias,
        gradient_for_the_items,
    ],
    "lesson_02.ease_weights": [
        ridge_with_a_diagonal,
        ease_with_the_sign_turned,
        ease_divided_by_rows,
        ease_without_the_ridge,
    ],
    "lesson_03.logit_gradient": [
        lambda logit, label: label - sigmoid(logit),
        lambda logit, label: logit - label,
        derivative_at_the_probability,
        lambda logit, label: (sigmoid(logit) - label).mean(),
    ],
    "lesson_03.best_epoch": [
        stops_at_the_first_fall,
        keeps_the_last_epoch,
        looks_at_all_epochs,
        partial(epochs_counted, equal_is_better=True),
        partial(epochs_counted, first=0),
        lambda scores, patience: int(np.argmax(scores)) + 1,
    ],
    "lesson_03.neumf_logit": [
        neumf_of(relu=False),
        neumf_of(bias=False),
        neumf_of(join=lambda product, hidden: [hidden, product]),
        neumf_of(product=np.add),
        lambda *arguments: sigmoid(neumf_of()(*arguments)),
        lambda *arguments: neumf_of()(*arguments) + 1,
    ],
    "lesson_06.epoch_slices": [
        rows_drawn_again_and_again,
        without_the_last_batch,
        in_the_order_of_the_table,
        batches_shuffled_not_rows,
        the_same_order_always,
        lambda n, batch_size, rng: rng.permutation(n),
    ],
    "lesson_06.adam_on_rows": [
        adam_of(merge=False),
        adam_of(shrink=True),
        adam_of(corrected=False),
        adam_of(square_first=True),
        lambda *given: adam_of()(*given)[0],
        lambda table, mean, square, rows, gradient, step, rate: (table, mean, square),
    ],
    "lesson_06.sampled_loss": [
        sampled_by(lambda k, q: 1.0),
        sampled_by(lambda k, q: 1 / q),
        sampled_by(lambda k, q: k * q),
        sampled_by(lambda k, q: 1 / (k * q), target=0.0),
        sampled_by(lambda k, q: 1 / (k * q), sign=-1.0),
        lambda score, drawn_scores, chance: drawn_scores - np.log(len(chance) * chance),
    ],
    "lesson_05.causal_attention": [
        attention_that_sees_the_future,
        attention_to_the_future_only,
        attention_masked_too_late,
        attention_without_its_own_place,
        attention_without_the_root,
    ],
    "lesson_05.hide_items": [
        lambda items, hidden, mask: (np.where(hidden, mask, items), items),
        lambda items, hidden, mask: (np.where(hidden, 0, items), np.where(hidden, items, 0)),
        lambda items, hidden, mask: (np.where(hidden, items, mask), np.where(hidden, items, 0)),
        lambda items, hidden, mask: (np.where(hidden, mask, items), items[hidden]),
        lambda items, hidden, mask: np.where(hidden, mask, items),
    ],
    "lesson_05.lora_parameters": [
        lambda rows, columns, rank: rows * columns,
        lambda rows, columns, rank: rows * columns + rank * (rows + columns),
        lambda rows, columns, rank: rank * rank,
        lambda rows, columns, rank: rank * rows * columns,
        lambda rows, columns, rank: rank * rows,
    ],
    "lesson_04.second_order": [
        second_order_a_dimension,
        second_order_in_both_orders,
        second_order_with_each_itself,
        second_order_of_all_rows,
        square_of_all_sums,
    ],
    "lesson_04.cross": [
        lambda x0, x, kernel, bias: x0 * (x @ kernel + bias),
        lambda x0, x, kernel, bias: x0 * (x @ kernel + bias) + x0,
        lambda x0, x, kernel, bias: x0 * (x @ kernel.T + bias) + x,
        lambda x0, x, kernel, bias: x * (x @ kernel + bias) + x,
        lambda x0, x, kernel, bias: x0 * (x @ kernel) + bias + x,
    ],
    "lesson_04.as_served": [
        lambda p, kept: p * kept,
        lambda p, kept: p / (p + (1 - p) * kept),
        lambda p, kept: p / (p + 1 / kept),
        lambda p, kept: p / kept,
    ],
    "lesson_11.magnitude_mask": [
        share_of_the_largest,
        largest_without_the_sign,
        keeps_what_should_go,
        smallest_stay,
        each_row_by_itself,
        lambda weights, sparsity: np.where(each_row_by_itself(weights, sparsity), weights, 0),
    ],
    "lesson_11.sparsity_at": [
        schedule_of(lambda t: (1 - t) ** 3),
        schedule_of(lambda t: t),
        schedule_of(lambda t: t**3),
        schedule_of(lambda t: 1 - (1 - t) ** 3, before=0.8),
        lambda step, begin, end, final: final * (1 - (1 - (step - begin) / (end - begin)) ** 3),
    ],
    "lesson_11.two_of_four": [
        best_half,
        two_of_four_outputs,
        two_smallest_of_four,
        lambda kernel: kernel[:2],
    ],
    "lesson_12.affine": [
        affine_of(steps=256),
        affine_of(low=lambda x: x.min()),
        affine_of(move=lambda x: 0),
        affine_of(sign=1),
        affine_of(most=127),
        codes_cut_off,
        real_numbers_not_codes,
        lambda values: affine_of()(values)[0],
    ],
    "lesson_12.row_scales": [
        lambda table, bits: np.abs(table).max() / (2 ** (bits - 1) - 1),
        lambda table, bits: np.abs(table).max(0, keepdims=True) / (2 ** (bits - 1) - 1),
        lambda table, bits: np.abs(table).max(1) / (2 ** (bits - 1) - 1),
        lambda table, bits: table.max(1, keepdims=True) / (2 ** (bits - 1) - 1),
        lambda table, bits: np.abs(table).max(1, keepdims=True) / (2**bits - 1),
        lambda table, bits: np.abs(table).max(1, keepdims=True) / 2 ** (bits - 1),
        lambda table, bits: np.abs(table).mean(1, keepdims=True) / (2 ** (bits - 1) - 1),
    ],
    "lesson_12.pack": [
        packed_by(move=0),
        packed_by(place=lambda codes: (codes[:, ::2], codes[:, 1::2])),
        packed_by(place=lambda codes: np.split(codes, 2, axis=1)[::-1]),
        packed_by(shift=3),
        lambda codes: packed_by()(codes).astype(np.int64),
        lambda codes: codes,
    ],
    "lesson_13.soft_targets": [
        soft_targets_of(lambda scores, temperature: scores),
        soft_targets_of(lambda scores, temperature: scores * temperature),
        soft_targets_that_overflow,
        taken_gets_a_share,
        shares_before_the_mask,
        lambda scores, taken, temperature: soft_targets_of()(scores, taken, temperature)[~taken],
    ],
    "lesson_13.rows_in_use": [
        lambda n, m: min(n, m),
        lambda n, m: m * (1 - 1 / m) ** n,
        lambda n, m: n - m * (1 - (1 - 1 / m) ** n),
        lambda n, m: m * (1 - (1 - 1 / m) ** (n - 1)),
        lambda n, m: 1 - (1 - 1 / m) ** n,
        lambda n, m: n - n * (n - 1) / (2 * m),
    ],
    "lesson_13.clustered_bytes": [
        clustered_bytes_of(book=0),
        clustered_bytes_of(book=1),
        clustered_bytes_of(unit=1),
        clustered_bytes_of(bits=np.log2),
        clustered_bytes_of(bits=lambda k: np.floor(np.log2(k))),
        clustered_bytes_of(bits=lambda k: k),
        clustered_bytes_of(bits=lambda k: 8),
    ],
    "lesson_14.rounding_bound": [
        bound_of(terms=lambda x, w: abs((x * w).sum())),
        bound_of(roundings=lambda d: 1),
        bound_of(roundings=lambda d: d - 1),
        bound_of(step=2 * HALF_STEP),
        bound_of(),
        bound_of(terms=lambda x, w: np.linalg.norm(x) * np.linalg.norm(w)),
        bound_of(terms=lambda x, w: np.abs(x * w)),
    ],
    "lesson_14.same_top_k": [
        lambda a, b, k, tolerance: np.array_equal(first_of(a, k), first_of(b, k)),
        lambda a, b, k, tolerance: set(first_of(a, k)) == set(first_of(b, k)),
        lambda a, b, k, tolerance: np.allclose(np.sort(a)[-k:], np.sort(b)[-k:], atol=tolerance),
        lambda a, b, k, tolerance: bool(np.abs(a - b).max() <= tolerance),
        lambda a, b, k, tolerance: same_lists_of_all(a, b, tolerance),
        scores_of_both_lists,
        ties_of_the_new_scores,
        ties_in_either,
        lambda a, b, k, tolerance: True,
    ],
    "lesson_14.fold": [
        folded_by(axis=(slice(None), None)),
        folded_by(factor=lambda gamma, variance, epsilon: gamma / np.sqrt(variance)),
        folded_by(factor=lambda gamma, variance, epsilon: gamma / (variance + epsilon)),
        folded_by(factor=lambda gamma, variance, epsilon: 1 / np.sqrt(variance + epsilon)),
        folded_by(new_bias=lambda bias, mean, beta, factor: beta - mean * factor),
        folded_by(new_bias=lambda bias, mean, beta, factor: bias - mean * factor + beta),
        folded_by(new_bias=lambda bias, mean, beta, factor: (bias + mean) * factor + beta),
        folded_by(new_bias=lambda bias, mean, beta, factor: (bias - mean + beta) * factor),
        lambda *given: folded_by()(*given)[0],
    ],
    "lesson_15.search_lists": [
        lists_by(lists=lambda query, centroids: -centroids @ query),
        lists_by(lists=lambda query, centroids: -np.linalg.norm(centroids - query, axis=1)),
        lists_by(score=lambda query, vectors: -np.linalg.norm(vectors - query, axis=1)),
        lists_by(score=lambda query, vectors: -vectors @ query),
        lists_by(end=lambda best: best[::-1]),
        all_vectors_looked_at,
        numbers_within_the_lists,
        lambda query, vectors, list_of, centroids, probes, k: lists_by()(
            query, vectors, list_of, centroids, 1, k
        ),
    ],
    "lesson_15.renew": [
        renewed_by(lambda uniform: np.log(uniform)),
        renewed_by(lambda uniform: uniform),
        renewed_by(lambda uniform: 1 - uniform),
        renewed_by(took=False),
        renewed_by(beta=False),
        lambda now, expiry, took, beta, uniform: now >= expiry,
        lambda now, expiry, took, beta, uniform: now + beta * took >= expiry,
        lambda *given: not renewed_by()(*given),
    ],
    "lesson_15.finished": [
        lambda arrivals, service: arrivals + service,
        lambda arrivals, service: np.cumsum(service),
        lambda arrivals, service: arrivals[0] + np.cumsum(service),
        lambda arrivals, service: ends_of(arrivals, service) - arrivals,
        lambda arrivals, service: ends_of(arrivals, service) - service,
        lambda arrivals, service: ends_of(arrivals, service) - service - arrivals,
        lambda arrivals, service: ends_of(arrivals, service)[-1],
        begun_when_the_one_before_came,
    ],
    "lesson_16.attraction_by_ips": [
        ips_of(weigh=lambda clicked, examined: clicked),
        ips_of(weigh=np.multiply),
        ips_of(rows=lambda film, clicked, examined, n: np.full(n, len(film))),
        ips_of(rows=lambda film, clicked, examined, n: np.bincount(film, clicked, n)),
        ips_of(
            weigh=lambda clicked, examined: clicked,
            rows=lambda film, clicked, examined, n: np.bincount(film, examined, n),
        ),
        lambda film, clicked, examined, n: (
            np.bincount(film, clicked / examined, n) / np.array([4, np.nan, 2])
        ),
        lambda film, clicked, examined, n: ips_of()(film, clicked, examined, n)[[0, 2]],
    ],
    "lesson_16.upper_bounds": [
        bound_by(factor=lambda alpha: 0),
        bound_by(spread=lambda variance: variance),
        bound_by(sign=-1),
        bound_by(factor=lambda alpha: 1),
        bound_by(turn=lambda A: A),
        bound_by(middle=lambda x, b: b @ x),
        divides_by_the_diagonal,
        lambda x, A, b, alpha: bound_by()(x, A, b, alpha).max(),
    ],
    "lesson_16.users_per_arm": [
        lambda s, d, z, z_power: np.ceil(((z + z_power) * s / d) ** 2),
        lambda s, d, z, z_power: np.ceil(4 * ((z + z_power) * s / d) ** 2),
        lambda s, d, z, z_power: np.ceil(2 * (z * s / d) ** 2),
        lambda s, d, z, z_power: np.ceil(2 * (z**2 + z_power**2) * (s / d) ** 2),
        lambda s, d, z, z_power: np.ceil(2 * (z + z_power) ** 2 * s / d**2),
        lambda s, d, z, z_power: np.ceil(2 * (z + z_power) * s / d),
        lambda s, d, z, z_power: np.floor(2 * ((z + z_power) * s / d) ** 2),
        lambda s, d, z, z_power: 2 * ((z + z_power) * s / d) ** 2,
    ],
    "lesson_24.cheapest_good_enough": [
        lambda quality, cost, share: int(np.argmax(quality)),
        lambda quality, cost, share: int(np.argmin(cost)),
        cheapest_if(lambda quality, share: quality >= share * 0.08),
        cheapest_if(lambda quality, share: quality >= quality.max() - (1 - share) * 0.1),
        cheapest_if(lambda quality, share: quality > share * quality.max()),
        cheapest_if(
            lambda quality, share: quality >= share * quality.max(),
            lambda quality, cost: np.argsort(cost, kind="stable"),
        ),
        lambda quality, cost, share: quality >= share * quality.max(),
        lambda quality, cost, share: cost[quality >= share * quality.max()].min(),
        lambda quality, cost, share: int(np.argmax(quality / cost)),
    ],
    "lesson_24.optimism": [
        lambda values, half: -luck_of()(values, half),
        luck_of(elsewhere=lambda values, half: values[~half].mean(axis=0).max()),
        luck_of(elsewhere=lambda values, half: values.mean(axis=0)[0]),
        luck_of(elsewhere=lambda values, half: values[~half].mean()),
        luck_of(winner=lambda values: values.mean(axis=0)),
        lambda values, half: values[half].mean(axis=0) - values[~half].mean(axis=0),
        lambda values, half: (values[half, 0].sum() - values[~half, 0].sum()) / 2,
    ],
}
