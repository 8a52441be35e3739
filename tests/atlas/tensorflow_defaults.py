"""What TensorFlow and Keras do by default, entry by entry of docs/atlas.md."""

import keras
import numpy as np
import tensorflow as tf
from entries import entry, run

keras.backend.set_floatx("float64")
ROW = np.array([[1.0, 1.01, 0.99, 1.0]])


def slope(function, at=0.0):
    x = tf.constant(at, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x).numpy()


@entry("layer-norm-epsilon")
def _():
    return keras.layers.LayerNormalization()(ROW).numpy()


@entry("batch-norm-epsilon")
def _():
    return keras.layers.BatchNormalization()(ROW.T, training=True).numpy()


@entry("batch-norm-momentum")
def _():
    norm = keras.layers.BatchNormalization()
    norm(np.array([[1.0], [3.0]]), training=True)
    return norm.moving_mean.numpy()


@entry("running-variance")
def _():
    norm = keras.layers.BatchNormalization(momentum=0.0)
    norm(np.array([[1.0], [3.0]]), training=True)
    image = tf.constant([1.0, 3.0], tf.float32, (1, 2, 1, 1))
    one = tf.ones(1)
    fused = tf.raw_ops.FusedBatchNormV3(
        x=image, scale=one, offset=one, mean=[], variance=[], is_training=True
    )
    return {"keras": norm.moving_variance.numpy(), "fused": fused.batch_variance.numpy()}


@entry("gelu")
def _():
    x = tf.constant([-2.7, 2.7], tf.float64)
    return {"tf.nn": tf.nn.gelu(x).numpy(), "keras.ops": keras.ops.gelu(x).numpy()}


@entry("same-padding")
def _():
    image = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[1, 1] = 1
    return {"SAME": tf.nn.conv2d(image, kernel, 2, "SAME").numpy().ravel()}


@entry("average-pool-border")
def _():
    return tf.nn.avg_pool2d(tf.ones((1, 2, 2, 1)), 3, 1, "SAME").numpy()[0, 0, 0, 0]


@entry("ties")
def _():
    def gradient(function):
        x = tf.zeros((1, 2, 2, 1))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(function(x))
        return tape.gradient(y, x).numpy().ravel()

    return {
        "pool": gradient(lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID")),
        "reduction": gradient(lambda x: tf.reduce_max(x, (1, 2))),
    }


@entry("kinks")
def _():
    return {
        "relu": slope(tf.nn.relu),
        "maximum": slope(lambda x: tf.maximum(x, 0.0)),
        "clip": slope(lambda x: tf.clip_by_value(x, 0.0, 1.0)),
    }


@entry("leaky-slope")
def _():
    x = tf.constant([[-1.0]], tf.float64)
    layer = keras.layers.LeakyReLU()(x)
    return {"function": tf.nn.leaky_relu(x).numpy()[0, 0], "layer": layer.numpy()[0, 0]}


@entry("deviation")
def _():
    return tf.math.reduce_std(tf.constant([1.0, 3.0])).numpy()


def stepped(optimizer, start, *gradients, rates=None):
    p = keras.Variable(np.float64(start))
    for number, gradient in enumerate(gradients):
        if rates is not None:
            optimizer.learning_rate = rates[number]
        optimizer.apply([tf.constant(gradient, tf.float64)], [p])
    return p.numpy()


@entry("adam-epsilon")
def _():
    return stepped(keras.optimizers.Adam(1e-3), 0.0, 1e-7)


@entry("weight-decay")
def _():
    return stepped(keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1), 1.0, 0.0, 0.0)


@entry("momentum")
def _():
    return stepped(keras.optimizers.SGD(1.0, momentum=0.9), 0.0, 1.0, 1.0, rates=(1.0, 0.1))


@entry("clipping")
def _():
    p, q = keras.Variable(np.zeros(1)), keras.Variable(np.zeros(1))
    optimizer = keras.optimizers.SGD(1.0, clipnorm=1.0)
    optimizer.apply([tf.constant([3.0], tf.float64), tf.constant([4.0], tf.float64)], [p, q])
    return [float(-p.numpy()[0]), float(-q.numpy()[0])]


@entry("lstm-biases")
def _():
    lstm = keras.layers.LSTM(1)
    lstm.build((1, 1, 1))
    biases = [weight for weight in lstm.weights if "bias" in weight.name]
    return {"arrays": len(biases), "initial": biases[0].numpy()}


@entry("padded-outputs")
def _():
    lstm = keras.layers.LSTM(1, return_sequences=True)
    out = lstm(np.ones((1, 3, 1)), mask=np.array([[True, False, False]])).numpy()[0, :, 0]
    same = out[0] == out[1] == out[2] != 0
    return {"after the end": "the last output" if same else "something"}


@entry("cross-entropy-clipping")
def _():
    hot = tf.nn.softmax(tf.constant([[0.0, 100.0]], tf.float64))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=False)
    return loss(np.array([0]), hot).numpy()


@entry("float64-inputs")
def _():
    return {"dtype": tf.constant(np.ones(1)).dtype.name}


@entry("denormals")
def _():
    return {"kept": bool((tf.constant([1e-40], tf.float32) * 1).numpy().any())}


@entry("ids-out-of-range")
def _():
    try:
        tf.gather(tf.eye(3), [5]).numpy()
    except tf.errors.InvalidArgumentError:
        return "an error"
    return "a row"


@entry("initial-linear")
def _():
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(400)
    layer.build((1, 400))
    return layer.kernel.numpy().std() * 20


@entry("initial-embedding")
def _():
    keras.utils.set_random_seed(0)
    layer = keras.layers.Embedding(100, 100)
    layer.build((1,))
    return layer.embeddings.numpy().std()


run()
