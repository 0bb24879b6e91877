/* Change the rate of a call's audio: mu-law at 8 kHz to s16le at 16 or 24 kHz, and back.
 *
 * relay/protocol/rate_filters.py has the same two functions in numpy, says what they do, and gives the
 * same samples bit by bit. Here each frame takes a tenth of numpy's time.
 *
 * The arithmetic is in integers. Samples and taps have 16 bits, a sum of products has 32 (rate_filters.py
 * checks that no sum of its taps needs more), and each sum is rounded once.
 */
#define Py_LIMITED_API 0x030B0000 /* one wheel of a platform is for Python 3.11 and newer */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if PY_BIG_ENDIAN
#error "s16le audio is read as it lies in memory: use the numpy filters on this machine"
#endif

enum {
    REACH = 9,              /* of the filter to either side, in samples of 8 kHz */
    TAPS = 2 * REACH,       /* of a branch */
    HISTORY = TAPS - 1,     /* samples of a branch that are kept for the next chunk */
    BLOCK = 1024,           /* samples of 8 kHz that are worked on at once */
    MAX_RATIO = 3,
    FRACTION = 14,          /* bits of a tap behind the point */
};

/* Filter n samples at x, with their history before them, through one branch; add to sum. */
static void filter(const int16_t *x, const int16_t *taps, int n, int32_t *sum)
{
    for (int k = 0; k < TAPS; k++) {
        const int32_t tap = taps[k];
        for (int i = 0; i < n; i++)
            sum[i] += tap * x[i + k];
    }
}

static int16_t clipped(int32_t sum)
{
    const int32_t y = sum >> FRACTION;
    return y < INT16_MIN ? INT16_MIN : y > INT16_MAX ? INT16_MAX : (int16_t)y;
}

static void set_all(int32_t *sum, int n, int32_t value)
{
    for (int i = 0; i < n; i++)
        sum[i] = value;
}

static void upsample_block(const uint8_t *ulaw, int n, int16_t *history, const int16_t *taps,
                           const int16_t *decode, int ratio, int16_t *out)
{
    int16_t x[HISTORY + BLOCK];
    int32_t sum[BLOCK];

    memcpy(x, history, HISTORY * sizeof *x);
    for (int i = 0; i < n; i++)
        x[HISTORY + i] = decode[ulaw[i]];
    for (int i = 0; i < n; i++)
        out[i * ratio] = x[REACH - 1 + i];
    for (int phase = 1; phase < ratio; phase++) {
        set_all(sum, n, 1 << (FRACTION - 1));
        filter(x, taps + (phase - 1) * TAPS, n, sum);
        for (int i = 0; i < n; i++)
            out[i * ratio + phase] = clipped(sum[i]);
    }
    memcpy(history, x + n, HISTORY * sizeof *x);
}

static void downsample_block(const int16_t *pcm, int n, int16_t *history, const int16_t *taps,
                             const uint8_t *encode, int ratio, uint8_t *out)
{
    int16_t x[HISTORY + BLOCK];
    int32_t sum[BLOCK];

    set_all(sum, n, 1 << (FRACTION - 1));
    for (int phase = 0; phase < ratio; phase++) {
        memcpy(x, history + phase * HISTORY, HISTORY * sizeof *x);
        for (int i = 0; i < n; i++)
            x[HISTORY + i] = pcm[i * ratio + phase];
        filter(x, taps + phase * TAPS, n, sum);
        memcpy(history + phase * HISTORY, x + n, HISTORY * sizeof *x);
    }
    for (int i = 0; i < n; i++)
        out[i] = encode[(uint16_t)clipped(sum[i])];
}

/* The arguments of both functions, as bytes; `history` is written to. */
typedef struct {
    Py_buffer chunk, history, taps, table;
    int held;
} Arguments;

static void release(Arguments *arguments)
{
    Py_buffer *each = &arguments->chunk;
    while (arguments->held > 0)
        PyBuffer_Release(&each[--arguments->held]);
}

static int take(Arguments *arguments, PyObject *const *given, Py_ssize_t count)
{
    Py_buffer *each = &arguments->chunk;
    arguments->held = 0;
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "takes a chunk, a history, taps and a table");
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        if (PyObject_GetBuffer(given[i], &each[i], i == 1 ? PyBUF_WRITABLE : PyBUF_SIMPLE) < 0) {
            release(arguments);
            return 0;
        }
        arguments->held++;
    }
    return 1;
}

/* Return the ratio of rates that taps and history are for, or 0 with an exception. */
static int ratio_of(const Arguments *arguments, int branches_less, int histories_less, Py_ssize_t table)
{
    for (int ratio = 2; ratio <= MAX_RATIO; ratio++)
        if (arguments->taps.len == (ratio - branches_less) * TAPS * 2 &&
            arguments->history.len == (histories_less ? 1 : ratio) * HISTORY * 2 &&
            arguments->table.len == table)
            return ratio;
    PyErr_SetString(PyExc_ValueError, "history, taps and table have other lengths");
    return 0;
}

static PyObject *upsample(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    Arguments it;
    PyObject *result = NULL;
    (void)module;
    if (!take(&it, given, count))
        return NULL;
    const int ratio = ratio_of(&it, 1, 1, 256 * 2);
    if (ratio && (result = PyBytes_FromStringAndSize(NULL, it.chunk.len * ratio * 2))) {
        int16_t *out = (int16_t *)PyBytes_AsString(result);
        for (Py_ssize_t at = 0; at < it.chunk.len; at += BLOCK) {
            const Py_ssize_t left = it.chunk.len - at;
            upsample_block((const uint8_t *)it.chunk.buf + at, left < BLOCK ? (int)left : BLOCK,
                           it.history.buf, it.taps.buf, it.table.buf, ratio, out + at * ratio);
        }
    }
    release(&it);
    return result;
}

static PyObject *downsample(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    Arguments it;
    PyObject *result = NULL;
    (void)module;
    if (!take(&it, given, count))
        return NULL;
    const int ratio = ratio_of(&it, 0, 0, 65536);
    const Py_ssize_t n = ratio ? it.chunk.len / (2 * ratio) : 0;
    if (ratio && n * 2 * ratio != it.chunk.len)
        PyErr_SetString(PyExc_ValueError, "the chunk does not end with a whole group of samples");
    else if (ratio && (result = PyBytes_FromStringAndSize(NULL, n))) {
        uint8_t *out = (uint8_t *)PyBytes_AsString(result);
        for (Py_ssize_t at = 0; at < n; at += BLOCK) {
            int16_t pcm[BLOCK * MAX_RATIO]; /* copied: a slice of a message may lie at an odd address */
            const int some = n - at < BLOCK ? (int)(n - at) : BLOCK;
            memcpy(pcm, (const char *)it.chunk.buf + at * ratio * 2, (size_t)some * ratio * 2);
            downsample_block(pcm, some, it.history.buf, it.taps.buf, it.table.buf, ratio, out + at);
        }
    }
    release(&it);
    return result;
}

static PyMethodDef methods[] = {
    {"upsample", (PyCFunction)(void (*)(void))upsample, METH_FASTCALL, "mu-law to s16le, a multiple of its rate"},
    {"downsample", (PyCFunction)(void (*)(void))downsample, METH_FASTCALL, "s16le to mu-law, a fraction of its rate"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "chamade_kernel", "Changes of the rate of a call's audio.", 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_chamade_kernel(void)
{
    return PyModuleDef_Init(&module);
}
